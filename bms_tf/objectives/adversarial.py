"""Losses of discriminators. Logits are high for real data; all take and return per-example tensors."""

from collections.abc import Callable

import tensorflow as tf


def hinge_real(logits: tf.Tensor, a: float = 1.0) -> tf.Tensor:
    """max(0, a - log D(x)), [B], for logits [B] of real data (BMS-VAE-GAN, algorithm 1; Miyato et al. 2018, eq. 16)."""
    return tf.nn.relu(a - logits)


def hinge_fake(logits: tf.Tensor, b: float = 1.0) -> tf.Tensor:
    """max(0, b + log D(G(z))), [B], for logits [B] of generated data."""
    return tf.nn.relu(b + logits)


def cross_entropy_real(logits: tf.Tensor) -> tf.Tensor:
    """-log D(x), [B], with D = sigmoid(logits) (alpha-GAN, eq. 15)."""
    return tf.nn.softplus(-logits)


def cross_entropy_fake(logits: tf.Tensor) -> tf.Tensor:
    """-log(1 - D(G(z))), [B], with D = sigmoid(logits) (alpha-GAN, eq. 15)."""
    return tf.nn.softplus(logits)


def cross_entropy(real: tf.Tensor, sample: tf.Tensor) -> dict[str, tf.Tensor]:
    """The terms "real" and "sample", [B] each, of a classifier's logits [B] of data and of samples."""
    return {"real": cross_entropy_real(real), "sample": cross_entropy_fake(sample)}


def hinge(real: tf.Tensor, sample: tf.Tensor) -> dict[str, tf.Tensor]:
    """The terms "real" and "sample", [B] each, of the hinge loss of logits [B] of data and of samples."""
    return {"real": hinge_real(real), "sample": hinge_fake(sample)}


def code_losses(code_discriminator: Callable, prior: tf.Tensor, posterior: tf.Tensor) -> dict[str, tf.Tensor]:
    """A code discriminator's cross-entropy (alpha-GAN, eq. 17) as the terms prior [B] and posterior [N].

    `code_discriminator(z, training=True)` gives logits, high for codes from the prior; `prior` [B, Z] and `posterior`
    [N, Z] are codes.
    """
    return {
        "prior": cross_entropy_real(code_discriminator(prior, training=True)),
        "posterior": cross_entropy_fake(code_discriminator(posterior, training=True)),
    }


class Hinge:
    """The hinge loss with margins `a` for real and `b` for generated data."""

    def __init__(self, a: float = 1.0, b: float = 1.0):
        if a <= 0 or b <= 0:
            raise ValueError(f"the hinge's margins are a = {a} and b = {b}; both must be positive")
        self.a, self.b = a, b

    def real(self, logits: tf.Tensor) -> tf.Tensor:
        return hinge_real(logits, self.a)

    def fake(self, logits: tf.Tensor) -> tf.Tensor:
        return hinge_fake(logits, self.b)


class CrossEntropy:
    """The cross-entropy of a classifier that tells real (1) from generated (0)."""

    real = staticmethod(cross_entropy_real)
    fake = staticmethod(cross_entropy_fake)
