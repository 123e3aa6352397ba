"""Estimates of KL[q(z|x) || p(z)] for a standard normal prior p(z), to be minimized."""

import tensorflow as tf


def density_ratio_kl(logits: tf.Tensor) -> tf.Tensor:
    """-log [D_L(z) / (1 - D_L(z))], [B], for logits [B] of a code discriminator at codes z ~ q(z|x).

    D_L(z) is the probability that z came from the prior, so that the odds estimate p(z) / q(z)
    (alpha-GAN, algorithm 1, R_C).
    """
    return -logits


def analytic_kl(posterior, z: tf.Tensor) -> tf.Tensor:
    """KL[N(mean, stddev^2) || N(0, I)], [B], in closed form, of a posterior with `mean` and `log_stddev` [B, Z].

    `z` is not used. Raises ValueError for a posterior that is not Gaussian.
    """
    if not hasattr(posterior, "log_stddev"):
        raise ValueError(f"the analytic KL needs a Gaussian posterior; the encoder gives a {type(posterior).__name__}")
    mean, log_stddev = posterior.mean, posterior.log_stddev
    return 0.5 * tf.reduce_sum(tf.exp(2 * log_stddev) + mean**2 - 1 - 2 * log_stddev, axis=-1)


def empirical_kl(posterior, z: tf.Tensor) -> tf.Tensor:
    """KL from N(0, I) of the normal with the batch's mean and variance per dimension, over Z; a scalar for z [B, Z].

    alpha-GAN, eq. 18, with its misprint corrected (the constant is -n/2), divided by the code size as there.
    `posterior` is not used.
    """
    mean, variance = tf.nn.moments(z, axes=[0])
    return 0.5 * tf.reduce_mean(variance + mean**2 - 1 - tf.math.log(variance))


empirical_kl.batch_coupled = True  # an attribute, since the function that gin hands over is another one
