"""WAE: Wasserstein auto-encoders (Tolstikhin, Bousquet, Gelly, Schölkopf 2018)."""

from collections.abc import Callable

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial


@gin.configurable
class WAE(System):
    """Minimizes E ||x - G(z_hat)||_2^2 + lambda D_Z(q(z), p(z)) over encoder and generator (eq. 4).

    | term | loss | source |
    | --- | --- | --- |
    | autoencoder/cost | ||x - G(z_hat)||_2^2, summed over all dimensions, z_hat ~ q(z|x) | algorithms 1 and 2 |
    | autoencoder/penalty, WAE-GAN | -lambda log C(z_hat) | algorithm 1 |
    | code_discriminator/prior, /posterior | -w log C(z), -w log(1 - C(z_hat)) | algorithm 1, where w = lambda |
    | autoencoder/penalty, WAE-MMD | lambda MMD(z, z_hat) | algorithm 2 |

    C is the probability that a code came from the prior. The papers' encoder is deterministic, but any will do (remark
    1). Two things of the public code are left out: its factor of 0.05 on the cost, which belongs to lambda, and the
    encoder's pretraining.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        code_discriminator: keras.Model | None = None,
        penalty: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
        lambda_: float = gin.REQUIRED,
        code_weight: float | None = None,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`.
            generator: gives data [B, ...].
            code_discriminator: gives logits [B], and makes it WAE-GAN.
            penalty: `penalty(codes, prior)` of two batches [B, Z], which makes it WAE-MMD.
            lambda_: the weight of the penalty, not negative.
            code_weight: the weight w of the code discriminator's own loss, positive. None takes lambda.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: if both or neither of `code_discriminator` and `penalty` are given, or a value is out of range.
        """
        if lambda_ < 0:
            raise ValueError(f"WAE.lambda_ is {lambda_}; it must not be negative")
        if code_weight is not None and not code_weight > 0:
            raise ValueError(f"WAE.code_weight is {code_weight}; it must be positive, or None for lambda_")
        if (code_discriminator is None) == (penalty is None):
            raise ValueError("WAE needs either a code_discriminator or a penalty, and not both")
        networks = {"encoder": encoder, "generator": generator}
        players: dict[str, tuple[str, ...]] = {"autoencoder": ("encoder", "generator")}
        if penalty is None:
            networks["code_discriminator"], players["code_discriminator"] = code_discriminator, ("code_discriminator",)
        super().__init__(networks=networks, players=players, seed=seed, ema=ema)
        self.penalty, self.lambda_ = penalty, lambda_
        self.code_weight = lambda_ if code_weight is None else code_weight

    @property
    def batch_coupled(self) -> bool:
        return super().batch_coupled or getattr(self.penalty, "batch_coupled", False)

    def phases(self) -> list[Phase]:
        phases = [Phase("autoencoder", self._autoencoder_losses)]
        if self.penalty is not None:
            return phases
        return [Phase("code_discriminator", self._code_discriminator_losses), *phases]

    def _code_discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        prior, posterior = self.prior_codes(x, key), self.posterior_codes(x, key)
        losses = adversarial.code_losses(*self.judge_codes(prior, posterior))
        return {"code_discriminator": {term: self.code_weight * loss for term, loss in losses.items()}}, {}

    def _autoencoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z_hat = self.posterior_codes(x, key)
        if self.penalty is None:
            penalty = adversarial.cross_entropy_real(self.code_discriminator(z_hat, training=True))
        else:
            penalty = self.penalty(z_hat, self.prior_codes(x, key))
        losses = {
            "cost": tf.reduce_sum(tf.square(x - self.decode(z_hat)), axis=list(range(1, x.shape.rank))),
            "penalty": self.lambda_ * penalty,
        }
        return {"autoencoder": losses}, {}
