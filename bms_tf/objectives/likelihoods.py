"""Log-likelihoods of data under a reconstruction, up to a constant.

A norm is the sum over the dimensions of vectors [B, D], and the mean over the values of images [B, H, W, C].
"""

import math

import tensorflow as tf


def log_laplace(x: tf.Tensor, x_hat: tf.Tensor, scale: float) -> tf.Tensor:
    """-scale * ||x - x_hat||_1, [..., B] (BMS-VAE-GAN, after eq. 3, n = 1).

    Args:
        x: data [B, ...].
        x_hat: reconstructions [..., B, ...].
        scale: the weight of the norm.
    """
    return -scale * _reduced(tf.abs(x - x_hat), x)


def log_gaussian(x: tf.Tensor, x_hat: tf.Tensor, scale: float) -> tf.Tensor:
    """-scale * ||x - x_hat||_2^2, [..., B] (VEEGAN, d of eq. 3).

    Args:
        x: data [B, ...].
        x_hat: reconstructions [..., B, ...].
        scale: the weight of the norm.
    """
    return -scale * _reduced(tf.square(x - x_hat), x)


def _reduced(distances: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    total = tf.reduce_sum(distances, axis=list(range(-(x.shape.rank - 1), 0)))
    return total / (math.prod(x.shape[1:]) if x.shape.rank > 2 else 1)
