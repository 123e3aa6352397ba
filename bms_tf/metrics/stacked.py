"""Scores of the stacked protocol (Metz et al., Unrolled GANs, 2017): images of K^C classes, one digit a channel."""

import gin
import numpy as np

from bms_tf.metrics.classifier import Classifier, words_of
from bms_tf.metrics.energy import finite_parts
from bms_tf.metrics.frechet import frechet_distance
from bms_tf.metrics.mixture import kl_from_uniform


@gin.configurable
def stacked_scores(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, classifier: Classifier
) -> dict[str, float | str]:
    """Counts modes by what a classifier of K classes sees in each channel.

    It sees lost modes and unequal ones. It does not see how varied a mode is, except through the Frechet distance: one
    image that the classifier counts for it is enough.

    Args:
        samples: [N, H, W, C] in [-1, 1]; 26,000 in the protocol. An image that is not finite belongs to no mode.
        reference: [M, H, W, C], real.
        seed: not used: nothing here is random.
        classifier: classifies images [N, H, W, 1], see `digit_classifier`.

    Returns:
        modes: how many of the K^C modes have at least one sample (the protocol's count). modes_5: how many have at
            least five, which a stray wrong answer of the classifier does not reach.
        mode_kl: KL of the histogram over the modes from uniform, in nats. Its floor for 26,000 samples of 1000 equal
            modes is about (1000 - 1) / (2 * 26,000) = 0.019.
        frechet_classifier_distance: between the features of samples and reference, with those of all channels side by
            side. It is not FID, as these are not Inception's features. NaN with fewer than two finite samples.
        classifier_accuracy: the classifier's accuracy, in [0, 1], on single digits it has not seen.
        features, weights_sha256 and more: what the protocol says of the classifier.

    Raises:
        ValueError: if there are no samples.
    """
    if not len(samples):
        raise ValueError(f"samples of shape {np.shape(samples)}: there must be at least one")
    shape = [classifier.classes] * samples.shape[-1]
    found = [
        np.ravel_multi_index([classifier.predict(channel) for channel in _channels(images)], shape)
        for images in finite_parts(samples)
    ]
    numbers = np.concatenate([np.zeros(0, int), *found])
    distance = np.nan
    if len(numbers) > 1:
        distance = frechet_distance(*(_features(classifier, images) for images in (samples, reference)))
    counts = np.bincount(numbers, minlength=np.prod(shape))
    return {
        "modes": float(np.count_nonzero(counts)),
        "modes_5": float(np.count_nonzero(counts >= 5)),
        "mode_kl": kl_from_uniform(counts),
        "frechet_classifier_distance": float(distance),
        "classifier_accuracy": classifier.accuracy,
        **words_of(classifier),
    }


stacked_scores.needs = "rows"
stacked_scores.better = {
    "modes": "higher",
    "modes_5": "higher",
    "mode_kl": "lower",
    "frechet_classifier_distance": "lower",
}


def _channels(images: np.ndarray) -> list[np.ndarray]:
    return np.split(images, images.shape[-1], axis=-1)


def _features(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The channels' features side by side, of the images that are finite."""
    return np.concatenate([np.hstack([*map(classifier.features, _channels(part))]) for part in finite_parts(images)])
