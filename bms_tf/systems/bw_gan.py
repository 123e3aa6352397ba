"""BW-GAN: Banach Wasserstein GAN (Adler and Lunz 2018)."""

from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import require_single_examples
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import penalties


@gin.configurable
class BWGAN(System):
    """WGAN-GP over a Sobolev space W^{s,p}: the critic's slope is measured in the dual norm, that of W^{-s,q}.

    lambda is E ||x|| in the space and gamma is E ||x|| in its dual, means over the batch of data (the text's rule):

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/real, /sample | -D(x) / gamma, D(G(z)) / gamma | the critic's loss |
    | discriminator/gradient_penalty | lambda (dual norm of grad D(x_mid) / gamma - 1)^2 | the critic's loss |
    | discriminator/drift | drift_weight * D(x)^2 | the critic's loss, after Karras et al. |
    | generator/sample | -D(G(z)) / gamma | the generator's |

    Five critic updates and the scale of the frequencies are from the authors' code (adler-j/bwgan). Deviations: vectors
    have no spatial axes, so their norm and its dual are l2. The gamma of that code has the exponent q and yet +s; here
    it is the dual norm. D is high for data (theirs for samples).
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        s: float = gin.REQUIRED,
        p: float = gin.REQUIRED,
        critic_updates: int = gin.REQUIRED,
        drift_weight: float = 1e-5,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives [B] and has no batch normalization.
            s: above 0 it weighs edges, below 0 large scales. It only matters for images.
            p: above 1. A large one weighs outliers. It only matters for images.
            critic_updates: the critic's updates for each of the generator, at least 1.
            drift_weight: the weight of D(x)^2, not negative.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range.
        """
        if not p > 1:
            raise ValueError(f"BWGAN.p is {p}; it must be above 1, so that there is a dual norm")
        if drift_weight < 0:
            raise ValueError(f"BWGAN.drift_weight is {drift_weight}; it must not be negative")
        if critic_updates < 1:
            raise ValueError(f"BWGAN.critic_updates is {critic_updates}; it must be at least 1")
        require_single_examples(discriminator, "BWGAN")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.norm = partial(penalties.sobolev_norm, s=s, p=p)
        self.dual_norm = partial(penalties.sobolev_norm, s=-s, p=p / (p - 1))  # 1/p + 1/q = 1
        self.critic_updates, self.drift_weight = critic_updates, drift_weight

    @property
    def batch_coupled(self) -> bool:
        return True  # gamma and lambda are means over the batch

    def phases(self) -> list[Phase]:
        return self.alternating(self._critic_losses, self._generator_losses, repeats=self.critic_updates)

    def _critic_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        critic, x_gen = partial(self.discriminator, training=True), self.prior_samples(x, key)
        x_mid = penalties.interpolated(x, x_gen, key.uniform("interpolation", (x.shape[0],)))
        slope = self.dual_norm(penalties.input_gradients(critic, x_mid))
        gamma, lambda_ = tf.reduce_mean(self.dual_norm(x)), tf.reduce_mean(self.norm(x))
        real, sample = self.judge(x, x_gen)
        losses = {
            "real": -real / gamma,
            "sample": sample / gamma,
            "gradient_penalty": lambda_ * (slope / gamma - 1.0) ** 2,
            "drift": self.drift_weight * real**2,
        }
        return {"discriminator": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        return {"generator": {"sample": -self.sample_logits(x, key) / tf.reduce_mean(self.dual_norm(x))}}, {}
