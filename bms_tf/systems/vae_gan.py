"""VAE-GAN: autoencoding beyond pixels using a learned similarity metric (Larsen et al. 2016)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, divergences, likelihoods


@gin.configurable
class VAEGAN(System):
    """The reconstruction is measured in the discriminator's features f; the three networks are updated at once.

    | term | loss | source |
    | --- | --- | --- |
    | encoder/prior | KL[q(z|x) || p(z)] | eq. 3; algorithm 1, L_prior |
    | encoder/reconstruction | -log N(f(x); f(x_hat), I) = ‖f(x) - f(x_hat)‖² / 2 | eq. 7, 8; L_llike |
    | generator/reconstruction | gamma times the same | algorithm 1, gamma L_llike - L_GAN |
    | generator/adversarial_reconstruction, /sample | -log D(x_hat), -log D(G(z)) | the same, not saturating |
    | discriminator/real, /reconstruction, /sample | -log D(x), -log(1 - D(x_hat)), -log(1 - D(G(z))) | eq. 9; L_GAN |

    Deviations: the generator's adversarial terms as printed, log(1 - D), saturate. Goodfellow et al.'s -log D replaces
    them. f is the input of the discriminator's last layer; the paper takes an inner convolution.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        gamma: float = gin.REQUIRED,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has a Gaussian `posterior(x)`.
            generator: gives data [B, ...].
            discriminator: gives logits [B].
            gamma: the weight of the reconstruction against the adversarial terms in the generator's loss, not negative.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a negative `gamma`.
        """
        if gamma < 0:
            raise ValueError(f"VAEGAN.gamma is {gamma}; it must not be negative")
        networks = {"encoder": encoder, "generator": generator, "discriminator": discriminator}
        super().__init__(networks=networks, seed=seed, ema=ema)
        self.gamma = gamma

    def phases(self) -> list[Phase]:
        return [Phase("game", self._game_losses)]

    def _game_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        posterior = self.encoder.posterior(x)
        z_hat = posterior.sample(key.normal("posterior", (x.shape[0], self.code_size)))
        real, features = self.discriminate_with_features(x, training=True)
        hat, features_hat = self.discriminate_with_features(self.decode(z_hat), training=True)
        sample = self.sample_logits(x, key)
        reconstruction = -likelihoods.log_gaussian(features, features_hat, 0.5)
        return {
            "encoder": {"prior": divergences.analytic_kl(posterior, z_hat), "reconstruction": reconstruction},
            "generator": {
                "reconstruction": self.gamma * reconstruction,
                "adversarial_reconstruction": adversarial.cross_entropy_real(hat),
                "sample": adversarial.cross_entropy_real(sample),
            },
            "discriminator": {
                "real": adversarial.cross_entropy_real(real),
                "reconstruction": adversarial.cross_entropy_fake(hat),
                "sample": adversarial.cross_entropy_fake(sample),
            },
        }, {}
