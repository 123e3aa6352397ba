"""GAN: generative adversarial nets (Goodfellow et al. 2014)."""

import gin
import tensorflow as tf

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

    One update of D for one of G (k = 1 of algorithm 1).
    """

    def __init__(self, *, generator: keras.Model, discriminator: keras.Model, seed: int = 0, ema: float | None = None):
        """`discriminator` gives logits [B]."""
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)

    def phases(self) -> list[Phase]:
        return self.alternating(self.told_apart(adversarial.cross_entropy), self._generator_losses)

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        return {"generator": {"sample": adversarial.cross_entropy_real(self.sample_logits(x, key))}}, {}
