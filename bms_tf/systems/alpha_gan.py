"""alpha-GAN: variational approaches for auto-encoding GANs (Rosca, Lakshminarayanan, Warde-Farley, Mohamed 2017)."""

import gin
import tensorflow as tf

from bms_tf.core.functional import power_iteration
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, divergences, visible


@gin.configurable
class AlphaGAN(System):
    """Encoder and generator are updated separately: D's gradient does not reach the encoder (algorithm 1).

    With R(d) = -log d + log(1 - d), which is minus the logit of d:

    | term | loss | source |
    | --- | --- | --- |
    | encoder/reconstruction | lambda ||x - x_hat||_1 | eq. 11 |
    | encoder/prior | R(C(z_hat)) | eq. 11 |
    | generator/reconstruction | lambda ||x - x_hat||_1 | eq. 13 |
    | generator/adversarial_reconstruction, generator/sample | R(D(x_hat)), R(D(G(z))) | eq. 13 |
    | discriminator/real, /reconstruction, /sample | -2 log D(x), -log(1 - D(x_hat)), -log(1 - D(G(z))) | eq. 14 |
    | code_discriminator/posterior, /prior | -log(1 - C(z_hat)), -log C(z) | eq. 17 |

    Eq. 15 drops the factor 2 of eq. 14; eq. 14 is followed. Two updates of encoder and generator for one of each
    discriminator (Rosca et al. 2018, algorithm 5). The norm is a sum in 2-D and a mean over pixels; a generator with
    a visible distribution has -lambda log p(x|z) in its place, and the distribution's mean as x_hat and G(z).
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        code_discriminator: keras.Model,
        encoder_lambda: float = gin.REQUIRED,
        generator_lambda: float = gin.REQUIRED,
        autoencoder_updates: int = 2,
        seed: int = 0,
        ema: float | None = None,
    ):
        """`encoder` has `posterior(x)`; both discriminators give logits [B]. Each lambda weighs the reconstruction in
        one player's loss; `autoencoder_updates`: of encoder and generator, for one of each discriminator. Raises
        ValueError for a value out of range.
        """
        for name, weight in {"encoder_lambda": encoder_lambda, "generator_lambda": generator_lambda}.items():
            if weight < 0:
                raise ValueError(f"AlphaGAN.{name} is {weight}; it must not be negative")
        if autoencoder_updates < 1:
            raise ValueError(f"AlphaGAN.autoencoder_updates is {autoencoder_updates}; it must be at least 1")
        networks = {
            "encoder": encoder,
            "generator": generator,
            "discriminator": discriminator,
            "code_discriminator": code_discriminator,
        }
        players = {name: (name,) for name in networks}
        super().__init__(networks=networks, players=players, seed=seed, ema=ema, visible=visible.of(generator))
        self.encoder_lambda, self.generator_lambda = encoder_lambda, generator_lambda
        self.autoencoder_updates = autoencoder_updates

    def phases(self) -> list[Phase]:
        return [
            Phase("encoder", self._encoder_losses, repeats=self.autoencoder_updates),
            Phase("generator", self._generator_losses, repeats=self.autoencoder_updates),
            Phase("discriminator", self._discriminator_losses, before=lambda: power_iteration(self.discriminator)),
            Phase("code_discriminator", self._code_discriminator_losses),
        ]

    def _encoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z_hat = self.posterior_codes(x, key)
        losses = {
            "reconstruction": -self.encoder_lambda * self.visible.log_prob(x, self.generator(z_hat, training=True)),
            "prior": divergences.density_ratio_kl(self.code_discriminator(z_hat, training=True)),
        }
        return {"encoder": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        output = self.generator(self.posterior_codes(x, key), training=True)
        losses = {
            "reconstruction": -self.generator_lambda * self.visible.log_prob(x, output),
            "adversarial_reconstruction": -self.discriminator(self.visible.mean(output), training=True),
            "sample": -self.discriminator(self.prior_samples(x, key), training=True),
        }
        return {"generator": losses}, {}

    def _discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        x_hat, x_gen = self.decode(self.posterior_codes(x, key)), self.prior_samples(x, key)
        losses = {
            "real": 2.0 * adversarial.cross_entropy_real(self.discriminator(x, training=True)),
            "reconstruction": adversarial.cross_entropy_fake(self.discriminator(x_hat, training=True)),
            "sample": adversarial.cross_entropy_fake(self.discriminator(x_gen, training=True)),
        }
        return {"discriminator": losses}, {}

    def _code_discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        prior = self.code_discriminator(self.prior_codes(x, key), training=True)
        posterior = self.code_discriminator(self.posterior_codes(x, key), training=True)
        losses = {
            "prior": adversarial.cross_entropy_real(prior),
            "posterior": adversarial.cross_entropy_fake(posterior),
        }
        return {"code_discriminator": losses}, {}
