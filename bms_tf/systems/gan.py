"""GAN: generative adversarial nets (Goodfellow et al. 2014)."""

from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import power_iteration
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial


@gin.configurable
class GAN(System):
    """The non-saturating game; with the networks of Radford, Metz and Chintala (2016) it is DCGAN.

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/real, /sample | -log D(x), -log(1 - D(G(z))) | eq. 1 |
    | generator/sample | -log D(G(z)) | section 3, last paragraph |

    One update of D for one of G (k = 1 of algorithm 1), Adam in the place of its momentum as in DCGAN.
    """

    def __init__(self, *, generator: keras.Model, discriminator: keras.Model, seed: int = 0, ema: float | None = None):
        """`discriminator` gives logits [B]."""
        networks = {"generator": generator, "discriminator": discriminator}
        super().__init__(networks=networks, players={name: (name,) for name in networks}, seed=seed, ema=ema)

    def phases(self) -> list[Phase]:
        refine = partial(power_iteration, self.discriminator)
        return [
            Phase("discriminator", self._discriminator_losses, before=refine),
            Phase("generator", self._generator_losses),
        ]

    def _discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        losses = {
            "real": adversarial.cross_entropy_real(self.discriminator(x, training=True)),
            "sample": adversarial.cross_entropy_fake(self.discriminator(self.prior_samples(x, key), training=True)),
        }
        return {"discriminator": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        logits = self.discriminator(self.prior_samples(x, key), training=True)
        return {"generator": {"sample": adversarial.cross_entropy_real(logits)}}, {}
