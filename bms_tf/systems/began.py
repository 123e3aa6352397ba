"""BEGAN: boundary equilibrium generative adversarial networks (Berthelot, Schumm, Metz 2017)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.priors import UniformPrior
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import likelihoods


@gin.configurable
class BEGAN(UniformPrior, System):
    """The discriminator D is an autoencoder, and L(x) = ||x - D(x)||_1 tells data from samples.

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/real, /sample | L(x), -k L(G(z)) | section 3.4, L_D |
    | generator/sample | L(G(z)) | section 3.4, L_G |

    k starts at 0. After each update it moves by lambda_k (gamma L(x) - L(G(z))) and stays in [0, 1] (section 3.4).
    Codes are uniform in (-1, 1). Both players are updated from one forward pass, on the same samples (ours; the text
    has z_D and z_G). The norm is a sum over vectors and a mean over pixels. `discriminate` gives -L(x).

    D tells data from samples by what does not pass its code, so the code must be smaller than the data. The codes of
    the recipes are for images. The paper has no 2-D data; for them, see gin/systems/began_2d.gin (ours).
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        gamma: float = gin.REQUIRED,
        lambda_k: float = 0.001,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives data of the shape that it takes.
            gamma: the ratio E L(G(z)) / E L(x) that k holds, in (0, 1]: low for sharp samples, high for diverse ones.
            lambda_k: the rate at which k moves, positive.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range.
        """
        if not 0 < gamma <= 1:
            raise ValueError(f"BEGAN.gamma is {gamma}; it must lie in (0, 1]")
        if not lambda_k > 0:
            raise ValueError(f"BEGAN.lambda_k is {lambda_k}; it must be positive")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.gamma, self.lambda_k = gamma, lambda_k
        self.k = tf.Variable(0.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA, name="k")

    def discriminate(self, x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        return likelihoods.log_laplace(x, self.discriminator(x, training=training), 1.0)

    def phases(self) -> list[Phase]:
        return [Phase("both", self._both_losses, after=self._control)]

    def _both_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        real, sample = (-logits for logits in self.judge(x, self.prior_samples(x, key)))
        losses = {"discriminator": {"real": real, "sample": -self.k * sample}, "generator": {"sample": sample}}
        return losses, {"balance": tf.reduce_mean(self.gamma * real - sample)}

    def _control(self, aux: Aux):
        self.k.assign(tf.clip_by_value(self.k + self.lambda_k * aux["balance"], 0.0, 1.0))
