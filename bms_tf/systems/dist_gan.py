"""Dist-GAN: an improved GAN using distance constraints (Tran, Bui, Cheung 2018)."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import require_single_examples
from bms_tf.core.keras import keras
from bms_tf.core.priors import UniformPrior
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, penalties


@gin.configurable
class DistGAN(UniformPrior, System):
    """An autoencoder is tied to the game, so that distances of codes match distances of data.

    Phi are the F features of the discriminator for images, or vectors of F numbers themselves. D is the sigmoid of its
    logit, M the mean over batch and dimensions, x_hat = G(E(x)) and lambda_w = sqrt(Z / F).

    | term | loss | source |
    | --- | --- | --- |
    | encoder/reconstruction | M (Phi(x) - Phi(x_hat))^2 | L_R |
    | encoder/distance | lambda_r (M(Phi(x_hat) - Phi(G(z))) - lambda_w M(E(x) - z))^2 | V_R |
    | discriminator/real, /reconstruction | -(1 - w) log D(x), -w log D(x_hat) | V_D, V_C |
    | discriminator/sample | -log(1 - D(G(z))) | V_D |
    | discriminator/gradient_penalty | lambda_p (norm of the logit's gradient - 1)^2 | V_P |
    | generator/score_distance | the absolute value of E D(x) - E D(G(z)) | V_G |

    These are from the authors' code for images (tntrung/gan, distgan_image): the order of the three updates; the first
    one moves only the encoder, but on MNIST the generator too; reconstructions are real data with a weight w of 0.05,
    which falls to 0 linearly in the third quarter of the run; codes are uniform in (-1, 1). Their code for 2-D data
    (distgan_toy2d) has vectors in the place of features, reconstructions as fakes of weight 0.5 in D, both networks in
    the first update, and five updates of D: see gin/systems/dist_gan_2d.gin. Deviations: the penalty's norm is a sum
    over dimensions (there a mean). Reconstructions of 2-D data have a squared error (there the cross-entropy of data in
    [0, 1]). If the generator moves in two phases, one optimizer moves it (there one each), and a step counts as two of
    its updates.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        lambda_r: float = gin.REQUIRED,
        lambda_p: float = gin.REQUIRED,
        reconstruction_weight: float = 0.05,
        horizon: int | None = gin.REQUIRED,
        reconstruction_loss: Callable[[tf.Tensor], tf.Tensor] = adversarial.cross_entropy_real,
        autoencoder: Sequence[str] = ("encoder",),
        critic_updates: int = 1,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)` with a mean.
            generator: gives data [B, ...].
            discriminator: gives logits [B].
            lambda_r: the weight of V_R, not negative.
            lambda_p: the weight of the penalty, not negative.
            reconstruction_weight: w at first, in [0, 1].
            horizon: the length of the run in generator updates, over which w falls. With None it stays.
            reconstruction_loss: a function of logits [B], which says what D takes reconstructions for.
            autoencoder: the players that L_R and V_R move: the encoder, or both encoder and generator.
            critic_updates: the discriminator's updates in a step, at least 1.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range.
        """
        for name, weight in {"lambda_r": lambda_r, "lambda_p": lambda_p}.items():
            if weight < 0:
                raise ValueError(f"DistGAN.{name} is {weight}; it must not be negative")
        if not 0 <= reconstruction_weight <= 1:
            raise ValueError(f"DistGAN.reconstruction_weight is {reconstruction_weight}; it must lie in [0, 1]")
        if horizon is not None and horizon < 1:
            raise ValueError(f"DistGAN.horizon is {horizon}; it must be at least 1, or None for a constant weight")
        if set(autoencoder) not in ({"encoder"}, {"encoder", "generator"}):
            raise ValueError(
                f"DistGAN.autoencoder is {tuple(autoencoder)}; it must be ('encoder',) or ('encoder', 'generator')"
            )
        if critic_updates < 1:
            raise ValueError(f"DistGAN.critic_updates is {critic_updates}; it must be at least 1")
        require_single_examples(discriminator, "DistGAN")
        networks = {"encoder": encoder, "generator": generator, "discriminator": discriminator}
        super().__init__(networks=networks, seed=seed, ema=ema)
        self.lambda_r, self.lambda_p = lambda_r, lambda_p
        self.reconstruction_weight, self.horizon = reconstruction_weight, horizon
        self.reconstruction_loss = reconstruction_loss
        self.autoencoder, self.critic_updates = tuple(autoencoder), critic_updates

    @property
    def batch_coupled(self) -> bool:
        return True  # the distances are between means over the batch

    def phases(self) -> list[Phase]:
        return [
            Phase("autoencoder", self._autoencoder_losses),
            Phase("discriminator", self._discriminator_losses, repeats=self.critic_updates),
            Phase("generator", self._generator_losses),
        ]

    def _phi(self, x: tf.Tensor) -> tf.Tensor:
        return x if x.shape.rank == 2 else self.discriminate_with_features(x, training=True)[1]

    def _autoencoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z, z_hat = self.prior_codes(x, key), self.encoder.posterior(x).mean
        real, reconstruction, sample = map(self._phi, (x, self.decode(z_hat), self.decode(z)))
        lambda_w = math.sqrt(self.code_size / real.shape[1])
        distance = tf.reduce_mean(reconstruction - sample) - lambda_w * tf.reduce_mean(z_hat - z)
        losses = {
            "reconstruction": tf.reduce_mean((real - reconstruction) ** 2, axis=1),
            "distance": self.lambda_r * distance**2,
        }
        return {player: losses for player in self.autoencoder}, {}

    def _discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        x_hat, x_gen, w = self.decode(self.encoder.posterior(x).mean), self.prior_samples(x, key), self._w()
        critic = partial(self.discriminator, training=True)
        penalty = penalties.gradient_penalty(critic, x, x_gen, key.uniform("interpolation", (x.shape[0],)))
        real, reconstruction, sample = self.judge(x, x_hat, x_gen)
        losses = {
            "real": (1 - w) * adversarial.cross_entropy_real(real),
            "reconstruction": w * self.reconstruction_loss(reconstruction),
            "sample": adversarial.cross_entropy_fake(sample),
            "gradient_penalty": self.lambda_p * penalty,
        }
        return {"discriminator": losses}, {}

    def _w(self) -> tf.Tensor:
        """The weight of reconstructions now: on a line to 0 between the half and three quarters of the run."""
        if self.horizon is None:
            return tf.constant(self.reconstruction_weight)
        done = tf.cast(self.generator_updates_done, tf.float32) / self.horizon
        return self.reconstruction_weight * tf.clip_by_value(3 - 4 * done, 0.0, 1.0)

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        real, sample = (tf.reduce_mean(tf.sigmoid(logits)) for logits in self.judge(x, self.prior_samples(x, key)))
        return {"generator": {"score_distance": tf.abs(real - sample)}}, {}
