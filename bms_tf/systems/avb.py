"""AVB: adversarial variational Bayes (Mescheder, Nowozin, Geiger 2017), without adaptive contrast."""

from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import power_iteration
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, visible


@gin.configurable
class AVB(System):
    """A VAE whose posterior may be any that can be drawn from: the logit T(x, z) estimates log q(z|x) - log p(z).

    | term | loss | source |
    | --- | --- | --- |
    | autoencoder/reconstruction | -log p(x|z_hat), z_hat ~ q(z|x) | eq. 3.7; algorithm 1 |
    | autoencoder/kl | T(x, z_hat) | eq. 3.7; algorithm 1 |
    | joint_discriminator/posterior, /prior | -log sigma(T(x, z_hat)), -log(1 - sigma(T(x, z))), z ~ p(z) | eq. 3.3 |

    All three updates of an iteration are taken at once, from the same draws, as in algorithm 1. T's own gradient in the
    encoder's parameters is 0 in expectation (proposition 2), so that it is a loss like any other.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        joint_discriminator: keras.Model,
        seed: int = 0,
        ema: float | None = None,
    ):
        """`encoder` has `posterior(x)`; `joint_discriminator` (T) gives logits [B] of a list of data and codes."""
        super().__init__(
            networks={"encoder": encoder, "generator": generator, "joint_discriminator": joint_discriminator},
            players={"autoencoder": ("encoder", "generator"), "joint_discriminator": ("joint_discriminator",)},
            seed=seed,
            ema=ema,
            visible=visible.of(generator),
        )

    def phases(self) -> list[Phase]:
        return [
            Phase("iteration", self._losses_of_an_iteration, before=partial(power_iteration, self.joint_discriminator))
        ]

    def _losses_of_an_iteration(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z_hat = self.posterior_codes(x, key)
        posterior = self.joint_discriminator([x, z_hat], training=True)
        prior = self.joint_discriminator([x, self.prior_codes(x, key)], training=True)
        return {
            "autoencoder": {
                "reconstruction": -self.visible.log_prob(x, self.generator(z_hat, training=True)),
                "kl": posterior,
            },
            "joint_discriminator": {
                "posterior": adversarial.cross_entropy_real(posterior),
                "prior": adversarial.cross_entropy_fake(prior),
            },
        }, {}
