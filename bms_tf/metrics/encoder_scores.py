"""What an encoder knows of the modes of a mixture of Gaussians."""

import gin
import numpy as np
import tensorflow as tf
from scipy.spatial.distance import cdist

from bms_tf.core.model import Model
from bms_tf.metrics.energy import finite_rows

DRAWS = 10


@gin.configurable
def encoder_scores(
    model: Model, reference: np.ndarray, *, seed: int, centers: np.ndarray, points: int = 1000
) -> dict[str, float]:
    """How well q(z|x) identifies the mode of x, for models with a Gaussian posterior; others get no scores.

    It sees codes that are decoded into a wrong mode. It does not see samples of the prior, or how near a reconstruction
    is to its x within the mode.

    Args:
        model: with `generate(z)` and `posterior(x)`.
        reference: [M, D], points of the data, of which the first `points` are taken.
        seed: of the codes that are drawn.
        centers: [K, D], the modes.
        points: how many of the reference.

    Returns:
        same_mode_percent: the share of x for which G(z), z ~ q(z|x), and x are nearest to the same mode.
        missed_mode_percent: the share of x for which none of ten such draws is nearest to that mode.
        posterior_kl: the mean over x of KL[q(z|x) || p(z)] in nats, with p standard normal. A code that identifies one
            of K modes of equal weight, and nothing else, costs log K.
    """
    if model.posterior is None or model.generate is None:
        return {}
    x = tf.constant(finite_rows(reference)[:points], tf.float32)
    mean, log_stddev = model.posterior(x)
    noise = tf.random.stateless_normal([DRAWS, *mean.shape], [seed, 0], alg="philox")
    drawn = [model.generate(mean + tf.exp(log_stddev) * one).numpy() for one in noise]
    mode = cdist(x, centers).argmin(axis=1)
    same = np.stack([cdist(finite_or_far(samples), centers).argmin(axis=1) == mode for samples in drawn])
    kl = 0.5 * (mean**2 + tf.exp(2 * log_stddev) - 1) - log_stddev
    return {
        "same_mode_percent": 100 * float(same.mean()),
        "missed_mode_percent": 100 * float((~same.any(axis=0)).mean()),
        "posterior_kl": float(tf.reduce_mean(tf.reduce_sum(kl, axis=-1))),
    }


encoder_scores.better = {"same_mode_percent": "higher", "missed_mode_percent": "lower"}


def finite_or_far(samples: np.ndarray) -> np.ndarray:
    """The samples [N, D], with a point far from all modes in the place of each that is not finite."""
    return np.where(np.isfinite(samples).all(axis=1, keepdims=True), samples, 1e9)
