"""AAE: adversarial autoencoders (Makhzani, Shlens, Jaitly, Goodfellow, Frey 2016)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, visible


@gin.configurable
class AAE(System):
    """An autoencoder whose encoder is also the generator of a GAN on codes: three updates a step (section 2).

    | term | loss | source |
    | --- | --- | --- |
    | encoder/reconstruction, generator/reconstruction | -log p(x|z_hat), z_hat ~ q(z|x) | reconstruction phase |
    | code_discriminator/prior, /posterior | -log C(z), -log(1 - C(z_hat)) | regularization phase, first update |
    | encoder/prior | -log C(z_hat) | regularization phase, second update |

    C is the probability that a code came from the prior. The paper has no weights, and neither have Rosca et al. (2018,
    appendix K). The scale of p(x|z) weighs its term. Deviation: the encoder has one optimizer for both of its updates.
    With the squared error and one joint update this is WAE-GAN.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        code_discriminator: keras.Model,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`, of any kind.
            generator: its visible distribution is p(x|z).
            code_discriminator: gives logits [B].
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.
        """
        networks = {"encoder": encoder, "generator": generator, "code_discriminator": code_discriminator}
        super().__init__(networks=networks, seed=seed, ema=ema, visible=visible.of(generator))

    def phases(self) -> list[Phase]:
        return [
            Phase("reconstruction", self._reconstruction_losses),
            Phase("code_discriminator", self._code_discriminator_losses),
            Phase("regularization", self._regularization_losses),
        ]

    def _reconstruction_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        output = self.generator(self.posterior_codes(x, key), training=True)
        losses = {"reconstruction": -self._log_prob(x, output)}
        return {"encoder": losses, "generator": losses}, {}

    def _code_discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        prior, posterior = self.prior_codes(x, key), self.posterior_codes(x, key)
        return {"code_discriminator": adversarial.code_losses(*self.judge_codes(prior, posterior))}, {}

    def _regularization_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        logits = self.code_discriminator(self.posterior_codes(x, key), training=True)
        return {"encoder": {"prior": adversarial.cross_entropy_real(logits)}}, {}
