"""Diversity as 1 - MS-SSIM between pairs of images."""

from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf

from bms_tf.core.examples import Rows

# The exponents of Wang, Simoncelli and Bovik, Multiscale structural similarity (2003), from the finest scale on.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
FILTER = 11  # pixels; a scale must have at least as many along each edge
PAIRS_A_CALL = 100


@gin.configurable
def ms_ssim_diversity(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, pairs: int = 2000, noise: float = 0.2
) -> dict[str, float]:
    """1 - MS-SSIM, the mean over random pairs of samples, and the same of the test set and of a noised test set.

    Compare a value with that of the data (Rosca et al. 2017, section 5). A smaller value means lost modes. A larger one
    can be a failure too, as the noised data show.

    It sees how different samples are from each other. It does not see whether they are like the data: noise is
    diversity too.

    Args:
        samples: images [N, H, W, C] in [-1, 1].
        reference: images [M, H, W, C] in [-1, 1].
        seed: of pairs and noise.
        pairs: how many pairs of two different images.
        noise: standard deviation of the normal noise on the noised test set, which is then clipped to [-1, 1]. The
            paper does not state its own. An image has new noise in each pair.

    Returns:
        ms_ssim_diversity, ms_ssim_diversity_test, ms_ssim_diversity_noised_test: in [0, 1], each with `_std`, its
            standard error over the pairs.
        ms_ssim_scales: how many of the five scales were used. The filter of 11 pixels needs images of 176 pixels for
            five scales, 88 for four, 44 for three, 22 for two and 11 for one. With fewer scales the finest ones stay,
            and their exponents are scaled to a sum of 1. Values with different numbers of scales are not comparable.

    Raises:
        ValueError: if these are not images, if they have under 11 pixels, if there are fewer than two, or if a value is
            out of range.
    """
    if noise < 0:
        raise ValueError(f"ms_ssim_diversity.noise is {noise}; it must not be negative")
    noised = Noised(reference, noise, seed)
    result = {"ms_ssim_scales": float(scales(samples.shape))}
    for name, images in {"": samples, "_test": reference, "_noised_test": noised}.items():
        mean, error = mean_over_pairs(lambda a, b: 1 - ms_ssim(a, b), images, pairs=pairs, seed=seed)
        result |= {f"ms_ssim_diversity{name}": mean, f"ms_ssim_diversity{name}_std": error}
    return result


class Noised:
    """Images of which a noised copy is made whenever they are asked for, clipped to [-1, 1]."""

    def __init__(self, images: np.ndarray | Rows, stddev: float, seed: int):
        self._images, self._stddev, self._rng = images, stddev, np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        x = np.asarray(self._images[index], np.float32)
        return (x + self._stddev * self._rng.standard_normal(x.shape, np.float32)).clip(-1, 1)


def scales(shape: tuple[int, ...]) -> int:
    """How many of the five scales images of shape [..., H, W, C] have room for. Raises ValueError if none."""
    side = min(shape[-3:-1]) if len(shape) == 4 else 0
    if side < FILTER:
        raise ValueError(f"MS-SSIM of an array of shape {shape}: it must be images [N, H, W, C] of 11 x 11 or more")
    return sum(side >= FILTER * 2**k for k in range(len(WEIGHTS)))


def ms_ssim(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """MS-SSIM, [B], of images [B, H, W, C] in [-1, 1], on as many of the five scales as there is room for."""
    weights = WEIGHTS[: scales(tuple(a.shape))]
    weights = [weight / sum(weights) for weight in weights]
    return tf.image.ssim_multiscale(0.5 * a + 0.5, 0.5 * b + 0.5, max_val=1.0, power_factors=weights)


def mean_over_pairs(
    distance: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], images: np.ndarray | Rows | Noised, *, pairs: int, seed: int
) -> tuple[float, float]:
    """Mean of a distance [B] of images over random pairs of two different ones, and the standard error of the mean.

    Only images of a pair are read.

    Raises ValueError for fewer than two images or pairs.
    """
    if len(images) < 2 or pairs < 2:
        raise ValueError(f"{pairs} pairs of {len(images)} images; at least 2 of each are needed")
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    function = tf.function(distance, autograph=False, reduce_retracing=True)
    values = []
    for i in range(0, pairs, PAIRS_A_CALL):
        a, b = (tf.constant(images[index[i : i + PAIRS_A_CALL]], tf.float32) for index in (first, second))
        values.append(function(a, b).numpy())
    values = np.concatenate(values).astype(np.float64)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(pairs))


ms_ssim_diversity.needs = "rows"
