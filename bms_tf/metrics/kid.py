"""Kernel distance of features (Binkowski et al., Demystifying MMD GANs, 2018): KID in those of the Inception graph."""

import gin
import numpy as np
import tensorflow as tf

from bms_tf.metrics.tfgan import tensorflow_gan


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of MMD^2 between features [N, F] and [M, F], N and M at least 2.

    Kernel (x . y / F + 1)^3. Its expectation is 0 for equal distributions; a single value may be negative.
    By tensorflow-gan where it runs.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if theirs := tensorflow_gan():
        one_block = max(len(x), len(y))
        return float(theirs.kernel_classifier_distance_from_activations(tf.constant(x), tf.constant(y), one_block))
    return _squared_mmd(x, y)


def _squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The same without tensorflow-gan."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: np.ndarray) -> float:
        """The mean over pairs of two different rows."""
        values = kernel(a, a)
        return (values.sum() - values.trace()) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())


@gin.configurable
def kid(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, subsets: int = 100, subset_size: int = 1000
) -> dict[str, float]:
    """Kernel distance of features, for few examples: KID for those of the Inception graph (Binkowski et al. 2018).

    It sees differences of the features' moments up to the third, which is the kernel's degree. It does not see whether
    fidelity or diversity is lacking, or samples learnt by heart.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: of the subsets.
        subsets: how many random subsets of both are compared.
        subset_size: the size of each subset. A smaller set is taken whole.

    Returns:
        kid: the mean of `squared_mmd` over the subsets. Unlike FID, its expectation does not depend on N and M. If the
            subsets are the whole sets, it is the value of the whole sets.
        kid_std: its standard deviation between subsets, or between random halves if the subsets are the whole sets. It
            is left out for fewer than four examples.

    Raises:
        ValueError: for fewer than two examples or subsets, or subsets of fewer than two.
    """
    if min(len(samples), len(reference), subsets, subset_size) < 2:
        raise ValueError(
            f"{len(samples)} samples, {len(reference)} real examples, {subsets} subsets of {subset_size}: at least 2 "
            "of each are needed"
        )
    whole = max(len(samples), len(reference)) <= subset_size
    if whole and min(len(samples), len(reference)) < 4:
        return {"kid": squared_mmd(samples, reference)}
    rng = np.random.default_rng(seed)

    def subset(features: np.ndarray) -> np.ndarray:
        # Means over random halves vary as the mean over all does; it is the jackknife that deletes half.
        size = len(features) // 2 if whole else min(subset_size, len(features))
        return features[rng.choice(len(features), size, replace=False)]

    values = [squared_mmd(subset(samples), subset(reference)) for _ in range(subsets)]
    mean = squared_mmd(samples, reference) if whole else float(np.mean(values))
    return {"kid": mean, "kid_std": float(np.std(values, ddof=1))}


kid.better = {"kid": "lower"}
