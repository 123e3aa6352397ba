"""WGAN-GP: improved training of Wasserstein GANs (Gulrajani et al. 2017)."""

from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import require_single_examples
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import penalties


@gin.configurable
class WGANGP(System):
    """A critic whose slope is held near 1 estimates the Wasserstein distance.

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/real, /sample | -D(x), D(G(z)) | eq. 3, first two terms |
    | discriminator/gradient_penalty | lambda (norm of grad D(x_mid) - 1)^2 | eq. 3, last term |
    | generator/sample | -D(G(z)) | algorithm 1, last update |

    x_mid lies between a data point and a sample. The paper's critic is "discriminator" here, as in every system.
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        lambda_: float = gin.REQUIRED,
        critic_updates: int = gin.REQUIRED,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives [B]. It has no batch normalization, under which an example has no slope of its own.
            lambda_: the weight of the penalty, positive. For 2-D data the authors' code (gan_toy.py) has 0.1.
            critic_updates: the critic's updates for each of the generator, at least 1.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range, and for a discriminator with batch normalization or packing.
        """
        if not lambda_ > 0:
            raise ValueError(f"WGANGP.lambda_ is {lambda_}; it must be positive")
        if critic_updates < 1:
            raise ValueError(f"WGANGP.critic_updates is {critic_updates}; it must be at least 1")
        require_single_examples(discriminator, "WGANGP")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.lambda_, self.critic_updates = lambda_, critic_updates

    def phases(self) -> list[Phase]:
        return self.alternating(self._critic_losses, self._generator_losses, repeats=self.critic_updates)

    def _critic_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        critic, x_gen = partial(self.discriminator, training=True), self.prior_samples(x, key)
        penalty = penalties.gradient_penalty(critic, x, x_gen, key.uniform("interpolation", (x.shape[0],)))
        real, sample = self.judge(x, x_gen)
        losses = {
            "real": -real,
            "sample": sample,
            "gradient_penalty": self.lambda_ * penalty,
        }
        return {"discriminator": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        return {"generator": {"sample": -self.sample_logits(x, key)}}, {}
