"""MD-GAN: mixture density generative adversarial networks (Eghbal-zadeh, Zellinger, Widmer 2019)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.priors import UniformPrior
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, simplex


@gin.configurable
class MDGAN(UniformPrior, System):
    """The discriminator D embeds into d dimensions, where d + 1 Gaussians sit on the corners of a simplex.

    lk(e) is the density of this mixture. The weights are equal, the covariances are variance * I, and the corners are
    at distance 1 from 0. lambda is the largest value of lk.

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/sample | -log[lk(D(x)) / lambda] | log lk(D(x)), maximized |
    | | - log[1 - lk(D(G(z))) / lambda] | log(lambda - lk(D(G(z)))), maximized |
    | generator/sample | log[1 - lk(D(G(z))) / lambda] | the same, minimized |

    So it is the saturating game of a classifier whose probability of data is lk / lambda. `discriminate` gives that
    classifier's logit. Codes are uniform in (-1, 1), as in the authors' code for the grid (eghbalz/mdgan). The networks
    of that code, whose outputs are bounded, are in gin/systems/md_gan_2d.gin. Deviations: log lambda, which has no
    gradient, is taken out of each term. lambda is found by fixed-point iteration (that code trains a small network for
    it). With the variance and d = 9 of that code, the mixture has a single peak in the middle of the simplex. A smaller
    variance gives a peak on each corner.
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        variance: float = 0.25,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives embeddings [B, d].
            variance: the variance of each Gaussian in each dimension, positive.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a variance that is not positive.
        """
        if not variance > 0:
            raise ValueError(f"MDGAN.variance is {variance}; it must be positive")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.mixture = simplex.SimplexMixture(discriminator.output_shape[-1], variance)

    def discriminate(self, x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        return self.mixture.logit(self.discriminator(x, training=training))

    def phases(self) -> list[Phase]:
        return self.alternating(self.told_apart(adversarial.CrossEntropy().discriminator), self._generator_losses)

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        return {"generator": {"sample": -adversarial.cross_entropy_fake(self.sample_logits(x, key))}}, {}
