"""Losses of discriminators. Logits are high for real data. All losses take and return per-example tensors.

A loss is of pairs of one real and one fake example, and has two sides. The discriminator minimizes `discriminator(real,
fake)`. The player that made the fakes minimizes `generator(real, fake)`. Both take logits that broadcast against each
other, [B] or [T, B].
"""

import tensorflow as tf


class AdversarialLoss:
    """The loss of a discriminator of data and of the player that makes its fakes."""

    needs_real = False  # whether the generator's side depends on `real`; where not, it may be None

    def discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """What the discriminator minimizes.

        Args:
            real: logits of data.
            fake: logits of fakes, which broadcast against the others.
        """
        raise TypeError(f"{type(self).__name__} must define discriminator()")

    def generator(self, real: tf.Tensor | None, fake: tf.Tensor) -> tf.Tensor:
        """What the generator minimizes. It falls with `fake`.

        Args:
            real: logits of data; they may be None unless `needs_real`.
            fake: logits of fakes, which broadcast against the others.
        """
        raise TypeError(f"{type(self).__name__} must define generator()")


def cross_entropy_real(logits: tf.Tensor) -> tf.Tensor:
    """-log D(x), [B], with D = sigmoid(logits) (alpha-GAN, eq. 15)."""
    return tf.nn.softplus(-logits)


def cross_entropy_fake(logits: tf.Tensor) -> tf.Tensor:
    """-log(1 - D(G(z))), [B], with D = sigmoid(logits) (alpha-GAN, eq. 15)."""
    return tf.nn.softplus(logits)


def code_losses(prior: tf.Tensor, posterior: tf.Tensor) -> dict[str, tf.Tensor]:
    """A code discriminator's cross-entropy (alpha-GAN, eq. 17).

    Args:
        prior: its logits [B] of codes from the prior, which should be high.
        posterior: its logits [N] of codes from the posterior.
    """
    return {"prior": cross_entropy_real(prior), "posterior": cross_entropy_fake(posterior)}


class Hinge(AdversarialLoss):
    """max(0, a - D(x)) + max(0, b + D(G(z))), against -D(G(z)).

    Sources: Miyato et al. 2018, eq. 16 and 17; BMS-VAE-GAN, algorithm 1, with log D_I for D.
    """

    def __init__(self, a: float = 1.0, b: float = 1.0):
        """Sets the margins.

        Args:
            a: of real data, positive.
            b: of generated data, positive.

        Raises:
            ValueError: unless both are positive.
        """
        if not (a > 0 and b > 0):
            raise ValueError(f"the hinge's margins are a = {a} and b = {b}; both must be positive")
        self.a, self.b = a, b

    def discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(self.a - real) + tf.nn.relu(self.b + fake)

    def generator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return -fake


class CrossEntropy(AdversarialLoss):
    """-log D(x) - log(1 - D(G(z))), against the density ratio -log D(G(z)) + log(1 - D(G(z))), minus the logit.

    Source: Rosca et al. 2017 (alpha-GAN), eq. 13 and 14.
    """

    def discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return cross_entropy_real(real) + cross_entropy_fake(fake)

    def generator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return -fake


class NonSaturating(AdversarialLoss):
    """-log D(x) - log(1 - D(G(z))), against -log D(G(z)) (Goodfellow et al. 2014, eq. 1 and section 3)."""

    def discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return cross_entropy_real(real) + cross_entropy_fake(fake)

    def generator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return cross_entropy_real(fake)


class RelativisticPairing(AdversarialLoss):
    """-log sigmoid(D(x) - D(G(z))), against -log sigmoid(D(G(z)) - D(x)).

    Sources: Jolicoeur-Martineau 2018 (the relativistic standard GAN); Huang et al. 2024 (R3GAN), eq. 2 with
    f(t) = -log(1 + e^-t) and the generator's side not saturating.
    """

    needs_real = True

    def discriminator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(fake - real)

    def generator(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(real - fake)
