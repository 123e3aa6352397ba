"""Penalties on the gradient of a critic with respect to its input."""

import math
from collections.abc import Callable

import tensorflow as tf

Critic = Callable[[tf.Tensor], tf.Tensor]


def input_gradients(critic: Critic, x: tf.Tensor) -> tf.Tensor:
    """The gradient [B, ...] of each example's logit, for `critic` from data [B, ...] to logits [B].

    It can be differentiated again. The critic must treat each example of a batch by itself.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        logits = critic(x)
    return tape.gradient(logits, x)


def interpolated(x: tf.Tensor, x_gen: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
    """epsilon x + (1 - epsilon) x_gen, [B, ...], with one epsilon [B] for each pair (Gulrajani et al. 2017, alg. 1)."""
    epsilon = tf.reshape(epsilon, [-1] + [1] * (x.shape.rank - 1))
    return epsilon * x + (1.0 - epsilon) * x_gen


def gradient_penalty(critic: Critic, x: tf.Tensor, x_gen: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
    """(||grad D(x_mid)||_2 - 1)^2, [B], at points between data and samples (Gulrajani et al. 2017, eq. 3, two-sided).

    Args:
        critic: from data [B, ...] to logits [B].
        x: data [B, ...].
        x_gen: samples [B, ...].
        epsilon: [B], uniform in [0, 1).
    """
    gradients = input_gradients(critic, interpolated(x, x_gen, epsilon))
    squares = tf.reduce_sum(gradients**2, axis=list(range(1, x.shape.rank)))
    # Where all of a critic's ReLUs are off, the root's own slope would be infinite.
    return (tf.sqrt(tf.maximum(squares, 1e-12)) - 1.0) ** 2


def sobolev_norm(x: tf.Tensor, *, s: float, p: float, c: float = 5.0) -> tf.Tensor:
    """||x|| in W^{s,p}, [B], of images [B, H, W, C], and the l2 norm of vectors [B, D] (Adler and Lunz 2018).

    This is the l^p norm of F^-1[(1 + c |xi|^2)^(s/2) F x]. F is the Fourier transform over space, and the highest
    frequency xi is 1.

    Args:
        x: images or vectors.
        s: the order of smoothness.
        p: the exponent.
        c: the squared size of the image in units of length; 5 in the authors' code.
    """
    if x.shape.rank == 2:
        return _lp_norm(x, 2.0)
    x = tf.transpose(x, [0, 3, 1, 2])  # the transform is one of the last two axes
    horizontal, vertical = (_frequencies(size) for size in (x.shape[3], x.shape[2]))
    weights = (1.0 + c * (vertical[:, None] ** 2 + horizontal**2)) ** (s / 2)
    spectrum = tf.signal.fft2d(tf.complex(x, tf.zeros_like(x))) * tf.cast(weights, tf.complex64)
    filtered = tf.math.real(tf.signal.ifft2d(spectrum))
    return _lp_norm(tf.reshape(filtered, [-1, math.prod(x.shape[1:])]), p)


def _frequencies(size: int) -> tf.Tensor:
    index = tf.range(size)
    return tf.cast(tf.minimum(index, size - index), tf.float32) / (size // 2)


def _lp_norm(x: tf.Tensor, p: float) -> tf.Tensor:
    """(sum |x|^p)^(1/p), [B], of [B, D], for powers of any size: the largest entry is taken out before and put back."""
    largest = tf.maximum(tf.stop_gradient(tf.reduce_max(tf.abs(x), axis=-1)), 1e-12)
    powers = tf.reduce_sum(tf.abs(x / largest[:, None]) ** p, axis=-1)
    return largest * tf.maximum(powers, 1e-12) ** (1 / p)
