"""GAN (Goodfellow et al. 2014), SN-GAN (Miyato et al. 2018) and R3GAN (Huang et al. 2024): one game, three losses."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial


@gin.configurable
class GAN(System):
    """A generator and a discriminator, with a loss of pairs (x, G(z)).

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/sample, GAN | -log D(x) - log(1 - D(G(z))) | Goodfellow et al., eq. 1 |
    | generator/sample, GAN | -log D(G(z)) | there, section 3, last paragraph |
    | discriminator/sample, SN-GAN | max(0, 1 - D(x)) + max(0, 1 + D(G(z))) | Miyato et al., eq. 16 |
    | generator/sample, SN-GAN | -D(G(z)) | there, eq. 17 |
    | discriminator/sample, R3GAN | -log sigmoid(D(x) - D(G(z))) | Huang et al., eq. 2 |
    | generator/sample, R3GAN | -log sigmoid(D(G(z)) - D(x)) | the authors' code (brownvc/R3GAN) |

    With the networks of Radford, Metz and Chintala (2016), GAN is DCGAN. SN-GAN also needs a discriminator with
    spectral normalization. Its power iteration runs once for each update of D (there, algorithm 1). R3GAN also needs
    the modifier `zero_centered_penalty`.
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        discriminator_loss: adversarial.AdversarialLoss = adversarial.NonSaturating(),
        discriminator_updates: int = 1,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives logits [B].
            discriminator_loss: D's loss, and its other side, which the generator minimizes.
            discriminator_updates: D's updates for each of the generator, at least 1. It is k = 1 in algorithm 1 of
                Goodfellow et al., and n_dis, 1 or 5, in Miyato et al.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: if there is less than one update.
        """
        if discriminator_updates < 1:
            raise ValueError(f"GAN.discriminator_updates is {discriminator_updates}; it must be at least 1")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.discriminator_loss, self.discriminator_updates = discriminator_loss, discriminator_updates

    def phases(self) -> list[Phase]:
        told_apart = self.told_apart(self.discriminator_loss.discriminator)
        return self.alternating(told_apart, self._generator_losses, repeats=self.discriminator_updates)

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        loss, x_gen = self.discriminator_loss, self.prior_samples(x, key)
        real, sample = self.judge(x, x_gen) if loss.needs_real else (None, *self.judge(x_gen))
        return {"generator": {"sample": loss.generator(real, sample)}}, {}
