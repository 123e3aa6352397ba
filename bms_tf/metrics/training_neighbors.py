"""The nearest training examples of samples: what was learnt by heart."""

import gin
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import euclidean_distances, pairwise_distances_argmin_min

from bms_tf.metrics.drawing import grid, over

ROWS = 1024  # of a block of distances


def _blocks(features: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(features[i : i + ROWS], np.float64) for i in range(0, len(features), ROWS)]


def nearest(features: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of the features [N, F] the number and the distance of the nearest of the others [M, F]."""
    parts = [pairwise_distances_argmin_min(block, others) for block in _blocks(features)]
    numbers, distances = zip(*parts, strict=True)
    return np.concatenate(numbers), np.concatenate(distances)


def to_nearest_other(features: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The distance of each of `features[numbers]` to the nearest other one of the features [N, F]."""
    distances = []
    for chosen in np.array_split(numbers, -(-len(numbers) // ROWS)):
        squared = euclidean_distances(features[chosen], features, squared=True)
        squared[np.arange(len(chosen)), chosen] = np.inf
        distances.append(np.sqrt(squared.min(axis=1)))
    return np.concatenate(distances)


@gin.configurable
def training_neighbors(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    training: np.ndarray | None = None,
    sample_values: np.ndarray | None = None,
    training_values: np.ndarray | None = None,
    pictures: int = 32,
) -> dict[str, float | Figure]:
    """How much nearer samples are to the training data than held-out data are, with a picture of the nearest pairs.

    It sees samples learnt by heart. It does not see lost modes, or copies with a change to which the features are
    sensitive, such as mirroring in pixels.

    Args:
        samples: features [N, F].
        reference: features [M, F] of held-out data.
        seed: not used: nothing here is random.
        training: features of the training data, [L, F].
        sample_values: the samples themselves, images [N, H, W, C] or anything.
        training_values: the training data themselves, images [L, H, W, C] or anything.
        pictures: how many pairs are shown.

    Returns:
        training_distance: the median distance of a sample from the nearest training example, in the unit of the
            features. training_distance_ratio: this distance divided by that of a held-out example. It is about 1 for a
            model that has learnt the distribution, and 0 for one that has learnt the examples.
        authentic_percent: the share of samples that are farther from their nearest training example than it is from its
            own nearest neighbor (Alaa et al., How Faithful is your Synthetic Data?, 2022, section 4.3).
        neighbors: for images, the samples that are nearest to a training example, each over that example.

    Raises:
        ValueError: if there are no training data, or only one training example.
    """
    if training is None or len(training) < 2:
        raise ValueError("training_neighbors needs the training data: a pipeline's train_once, or --training_data")
    training = np.asarray(training, np.float64)
    number, distance = nearest(samples, training)
    held_out = np.median(nearest(reference, training)[1])
    closest, back = np.unique(number, return_inverse=True)
    authentic = distance > to_nearest_other(training, closest)[back]
    scores: dict[str, float | Figure] = {
        "training_distance": float(np.median(distance)),
        "training_distance_ratio": float(np.median(distance) / held_out) if held_out else np.nan,
        "authentic_percent": 100 * float(authentic.mean()),
    }
    if sample_values is None or training_values is None:
        return scores
    if len(sample_values.shape) == 4 and sample_values.shape[-1] in (1, 3):
        shown = np.argsort(distance)[:pictures]
        pairs = over(sample_values[shown], training_values[number[shown]])
        scores["neighbors"] = grid(pairs, 8, "the samples nearest to a training image, that image below")
    return scores
