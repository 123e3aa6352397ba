"""Dist-GAN: an improved GAN using distance constraints (Tran, Bui, Cheung 2018)."""

import math
from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import power_iteration, require_single_examples, with_features
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, penalties


@gin.configurable
class DistGAN(System):
    """An autoencoder shapes the generator, so that distances of codes are distances of data.

    With Phi the discriminator's F features, D the sigmoid of its logit, M the mean over batch and dimensions,
    x_hat = G(E(x)) and lambda_w = sqrt(Z / F):

    | term | loss | source |
    | --- | --- | --- |
    | encoder/, generator/reconstruction | M (Phi(x) - Phi(x_hat))^2 | L_R |
    | encoder/, generator/distance | lambda_r (M(Phi(x_hat) - Phi(G(z))) - lambda_w M(E(x) - z))^2 | V_R |
    | discriminator/real, /reconstruction | -(1 - w) log D(x), -w log D(x_hat) | V_D, V_C |
    | discriminator/sample | -log(1 - D(G(z))) | V_D |
    | discriminator/gradient_penalty | lambda_p (norm of the logit's gradient - 1)^2 | V_P |
    | generator/score_distance | the absolute value of E D(x) - E D(G(z)) | V_G |

    Taken from the authors' code (tntrung/gan): the order of the three updates, features for data of any kind, and
    reconstructions as real data with a weight w of 0.05. Deviations: the penalty's norm is a sum over dimensions (there
    a mean); codes are normal (there uniform); one optimizer moves G in both its phases (there one each), and a step
    counts as two of G's updates.
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
        seed: int = 0,
        ema: float | None = None,
    ):
        """`encoder` has `posterior(x)` with a mean; `discriminator` gives logits [B]. `lambda_r` and `lambda_p` weigh
        V_R and the penalty, `reconstruction_weight` is w. Raises ValueError for a value out of range.
        """
        for name, weight in {"lambda_r": lambda_r, "lambda_p": lambda_p}.items():
            if weight < 0:
                raise ValueError(f"DistGAN.{name} is {weight}; it must not be negative")
        if not 0 <= reconstruction_weight <= 1:
            raise ValueError(f"DistGAN.reconstruction_weight is {reconstruction_weight}; it must lie in [0, 1]")
        require_single_examples(discriminator, "DistGAN")
        networks = {"encoder": encoder, "generator": generator, "discriminator": discriminator}
        super().__init__(networks=networks, seed=seed, ema=ema)
        self.lambda_r, self.lambda_p = lambda_r, lambda_p
        self.reconstruction_weight = reconstruction_weight

    @property
    def batch_coupled(self) -> bool:
        return True  # the distances are between means over the batch

    def phases(self) -> list[Phase]:
        return [
            Phase("autoencoder", self._autoencoder_losses),
            Phase("discriminator", self._discriminator_losses, before=partial(power_iteration, self.discriminator)),
            Phase("generator", self._generator_losses),
        ]

    def _autoencoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z, z_hat = self.prior_codes(x, key), self.encoder.posterior(x).mean
        x_hat, x_gen = self.generator(z_hat, training=True), self.generator(z, training=True)
        real, reconstruction, sample = (
            with_features(self.discriminator, a, training=True)[1] for a in (x, x_hat, x_gen)
        )
        lambda_w = math.sqrt(self.code_size / real.shape[1])
        distance = tf.reduce_mean(reconstruction - sample) - lambda_w * tf.reduce_mean(z_hat - z)
        losses = {
            "reconstruction": tf.reduce_mean((real - reconstruction) ** 2, axis=1),
            "distance": self.lambda_r * distance**2,
        }
        return {"encoder": losses, "generator": losses}, {}

    def _discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        logits, w = partial(self.discriminator, training=True), self.reconstruction_weight
        x_hat = self.generator(self.encoder.posterior(x).mean, training=True)
        x_gen = self.prior_samples(x, key)
        penalty = penalties.gradient_penalty(logits, x, x_gen, key.uniform("interpolation", (x.shape[0],)))
        losses = {
            "real": (1 - w) * adversarial.cross_entropy_real(logits(x)),
            "reconstruction": w * adversarial.cross_entropy_real(logits(x_hat)),
            "sample": adversarial.cross_entropy_fake(logits(x_gen)),
            "gradient_penalty": self.lambda_p * penalty,
        }
        return {"discriminator": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        real, sample = tf.sigmoid(self.discriminator(x, training=True)), tf.sigmoid(self.sample_logits(x, key))
        return {"generator": {"score_distance": tf.abs(tf.reduce_mean(real) - tf.reduce_mean(sample))}}, {}
