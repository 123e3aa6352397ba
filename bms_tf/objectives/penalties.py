"""Penalties on the gradient of a critic with respect to its input."""

from collections.abc import Callable

import tensorflow as tf

Critic = Callable[[tf.Tensor], tf.Tensor]


def input_gradients(critic: Critic, x: tf.Tensor) -> tf.Tensor:
    """The gradient [B, ...] of each example's logit, for `critic` from data [B, ...] to logits [B].

    It can be differentiated again. The critic must treat the examples of a batch apart.
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

    x and x_gen are [B, ...], `epsilon` [B] is uniform in [0, 1).
    """
    gradients = input_gradients(critic, interpolated(x, x_gen, epsilon))
    squares = tf.reduce_sum(gradients**2, axis=list(range(1, x.shape.rank)))
    # Where all of a critic's ReLUs are off, the root's own slope would be infinite.
    return (tf.sqrt(tf.maximum(squares, 1e-12)) - 1.0) ** 2
