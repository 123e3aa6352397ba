"""The mixture of Gaussians on the corners of a simplex (Mixture Density GAN)."""

import math

import tensorflow as tf


def corners(dimensions: int) -> tf.Tensor:
    """The corners [d + 1, d] of a regular simplex around 0, each of length 1: the cosine of any two is -1/d."""
    d = float(dimensions)
    first = math.sqrt(1 + 1 / d) * tf.eye(dimensions) - (math.sqrt(d + 1) - 1) / d**1.5
    return tf.concat([first, tf.fill([1, dimensions], -(d**-0.5))], axis=0)


class SimplexMixture:
    """d + 1 Gaussians with equal weights and covariances variance * I, centered on `corners(d)`."""

    def __init__(self, dimensions: int, variance: float):
        """Finds the mixture's peak: on the way that mean shift takes from a corner, or at 0."""
        self.variance = variance
        self.centers = corners(dimensions)
        e = self.centers[:1]
        for _ in range(1000):
            e = tf.matmul(tf.nn.softmax(self._log_terms(e)), self.centers)
        self.log_peak = tf.reduce_max(tf.reduce_logsumexp(self._log_terms(tf.concat([e, tf.zeros_like(e)], 0)), -1))

    def _log_terms(self, e: tf.Tensor) -> tf.Tensor:
        """The logarithm of each Gaussian's density, [B, d + 1], up to one constant."""
        return -0.5 * tf.reduce_sum((e[:, None] - self.centers) ** 2, axis=-1) / self.variance

    def logit(self, e: tf.Tensor) -> tf.Tensor:
        """log[p / (1 - p)], [B], with p in (0, 1] the density at embeddings [B, d] over the peak's."""
        log_p = tf.reduce_logsumexp(self._log_terms(e), axis=-1) - self.log_peak
        log_p = tf.minimum(log_p, -1e-6)  # at the peak itself the logit would be infinite
        return log_p - tf.math.log(-tf.math.expm1(log_p))
