"""SN-GAN: spectral normalization for generative adversarial networks (Miyato et al. 2018)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial


@gin.configurable
class SNGAN(System):
    """The hinge game of a discriminator whose weights are divided by their largest singular values.

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/real, /sample | max(0, 1 - D(x)), max(0, 1 + D(G(z))) | eq. 16 |
    | generator/sample | -D(G(z)) | eq. 17 |

    The normalization itself is that of the network which it is given (networks/layers.py); its power iteration runs
    once for each update of D (algorithm 1).
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        discriminator_updates: int = gin.REQUIRED,
        seed: int = 0,
        ema: float | None = None,
    ):
        """`discriminator` gives logits [B]; `discriminator_updates`: for one of the generator (n_dis, 1 or 5 there).

        Raises ValueError for less than one.
        """
        if discriminator_updates < 1:
            raise ValueError(f"SNGAN.discriminator_updates is {discriminator_updates}; it must be at least 1")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.discriminator_updates = discriminator_updates

    def phases(self) -> list[Phase]:
        return self.alternating(
            self.told_apart(adversarial.hinge), self._generator_losses, repeats=self.discriminator_updates
        )

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        return {"generator": {"sample": -self.sample_logits(x, key)}}, {}
