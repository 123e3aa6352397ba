"""Divergences of codes from a standard normal prior p(z), to be minimized: estimates of KL[q(z|x) || p(z)], and MMD."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import tensorflow as tf


@runtime_checkable
class Posterior(Protocol):
    """q(z|x) of a batch: codes [..., B, Z] from standard normal noise [..., B, Z]."""

    def sample(self, noise: tf.Tensor) -> tf.Tensor: ...


@runtime_checkable
class GaussianPosterior(Protocol):
    """N(mean, diag(exp(log_stddev))^2); both [B, Z]."""

    mean: tf.Tensor
    log_stddev: tf.Tensor


@runtime_checkable
class PosteriorWithDensity(Protocol):
    """A posterior that gives log q(z|x), [..., B], of codes [..., B, Z]."""

    def log_prob(self, z: tf.Tensor) -> tf.Tensor: ...


PriorTerm = Callable[[Posterior, tf.Tensor], tf.Tensor]


def code_discriminator_or(
    prior_term: PriorTerm | None, code_discriminator: Callable[..., tf.Tensor] | None, owner: str
) -> PriorTerm:
    """A system estimates its KL either by a code discriminator or by another term.

    Args:
        prior_term: a function of the posterior and codes, or None.
        code_discriminator: gives logits [B] of codes [B, Z]; or None.
        owner: the system's name, for the message.

    Raises:
        ValueError: if both or neither are given.
    """
    if prior_term is not None and code_discriminator is None:
        return prior_term
    if code_discriminator is not None and prior_term is None:
        return lambda posterior, z: density_ratio_kl(code_discriminator(z, training=True))
    raise ValueError(f"{owner} needs either a code_discriminator or another prior_term, and not both")


def density_ratio_kl(logits: tf.Tensor) -> tf.Tensor:
    """-log [D_L(z) / (1 - D_L(z))], [B], for logits [B] of a code discriminator at codes z ~ q(z|x).

    D_L(z) is the probability that z came from the prior, so that the odds estimate p(z) / q(z)
    (alpha-GAN, algorithm 1, R_C).
    """
    return -logits


def analytic_kl(posterior: Posterior, z: tf.Tensor) -> tf.Tensor:
    """KL[N(mean, stddev^2) || N(0, I)], [B], in closed form.

    Args:
        posterior: has `mean` and `log_stddev` [B, Z].
        z: not used.

    Raises:
        ValueError: for a posterior that is not Gaussian.
    """
    if not isinstance(posterior, GaussianPosterior):
        raise ValueError(f"the analytic KL needs a Gaussian posterior; the encoder gives a {type(posterior).__name__}")
    mean, log_stddev = posterior.mean, posterior.log_stddev
    return 0.5 * tf.reduce_sum(tf.exp(2 * log_stddev) + mean**2 - 1 - 2 * log_stddev, axis=-1)


def monte_carlo_kl(posterior: Posterior, z: tf.Tensor) -> tf.Tensor:
    """log q(z|x) - log N(z; 0, I), [B], at one code for each x (Kingma and Welling 2014, eq. 6).

    Args:
        posterior: has `log_prob(z)`.
        z: z ~ q(z|x), [B, Z].

    Raises:
        ValueError: for a posterior without a density.
    """
    if not isinstance(posterior, PosteriorWithDensity):
        raise ValueError(f"the Monte Carlo KL needs a density; the encoder gives a {type(posterior).__name__}")
    return posterior.log_prob(z) + 0.5 * tf.reduce_sum(z**2 + math.log(2 * math.pi), axis=-1)


def empirical_kl(posterior: Posterior | None, z: tf.Tensor) -> tf.Tensor:
    """The KL from N(0, I) of a normal with the batch's mean and variance in each dimension, divided by Z; a scalar.

    It is eq. 18 of alpha-GAN, which is also divided by the code size. Its misprint is corrected (the constant is -n/2).

    Args:
        posterior: not used.
        z: codes [B, Z].
    """
    mean, variance = tf.nn.moments(z, axes=[0])
    return 0.5 * tf.reduce_mean(variance + mean**2 - 1 - tf.math.log(variance))


def mmd(codes: tf.Tensor, prior: tf.Tensor, scales: Sequence[float] = (0.1, 0.2, 0.5, 1, 2, 5, 10)) -> tf.Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy of two batches of codes, a scalar.

    This is algorithm 2 of Tolstikhin et al. 2018, a U-statistic. It may be negative, and is 0 on average for two
    batches of one distribution. The kernel is the sum over `scales` of C / (C + ||a - b||^2) with C = scale * 2 Z. At
    scale 1, C is the expected squared distance of two codes of the prior.

    Args:
        codes: [B, Z].
        prior: codes [B, Z] of the prior.
        scales: the scales of the kernel, by default those of the authors' code.

    Raises:
        ValueError: for fewer than two codes.
    """
    number, size = codes.shape
    if number < 2:
        raise ValueError(f"MMD compares pairs of codes; the batch has {number}")

    def kernel(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        distance = tf.reduce_sum(tf.math.squared_difference(a[:, None], b), axis=-1)
        return tf.add_n([scale * 2 * size / (scale * 2 * size + distance) for scale in scales])

    def within(a: tf.Tensor) -> tf.Tensor:
        """The mean over all pairs of two different codes."""
        return (tf.reduce_sum(kernel(a, a)) - number * len(scales)) / (number * (number - 1))  # k(a, a) = 1 each

    return within(codes) + within(prior) - 2 * tf.reduce_mean(kernel(codes, prior))


# Attributes, since the functions that gin hands over are others.
monte_carlo_kl.of_one_code = True  # for each x
empirical_kl.batch_coupled = True
mmd.batch_coupled = True
