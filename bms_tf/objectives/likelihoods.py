"""Log-likelihoods of data under a reconstruction, up to a constant."""

import math

import tensorflow as tf


def log_laplace(x: tf.Tensor, x_hat: tf.Tensor, scale: float) -> tf.Tensor:
    """-scale * ||x - x_hat||_1, [..., B], for x [B, ...] and x_hat [..., B, ...] (BMS-VAE-GAN, after eq. 3, n = 1).

    The norm is the sum over the dimensions of vectors [B, D], and the mean over those of images [B, H, W, C].
    """
    distance = tf.reduce_sum(tf.abs(x - x_hat), axis=list(range(-(x.shape.rank - 1), 0)))
    return -scale * distance / (math.prod(x.shape[1:]) if x.shape.rank > 2 else 1)
