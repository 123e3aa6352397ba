"""Unrolled GAN: unrolled generative adversarial networks (Metz, Poole, Pfau, Sohl-Dickstein 2017)."""

import gin
import tensorflow as tf

from bms_tf.core.functional import frozen_statistics, substituted
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial


@gin.configurable
class UnrolledGAN(System):
    """The generator plays against the discriminator as it would be after K further updates.

    With f(D, G) = E[-log D(x)] + E[-log(1 - D(G(z)))], D_0 = D and D_{k+1} = D_k - rate * grad_D f(D_k, G):

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/sample | -log D(x) - log(1 - D(G(z))) | section 2.1; D itself moves by one update |
    | generator/sample | log D_K(x) + log(1 - D_K(G(z))), also through D_K's dependence on G | sections 2.2 and 2.3 |

    So the generator minimizes -f(D_K, G), as in the authors' code for such mixtures (poolio/unrolled_gan). G also moves
    the loss of data, through D_K. With K = 0 it is the saturating GAN, and the loss of data has no gradient. All K
    updates see one batch, as there. Deviations: the unrolled updates are gradient descent, as in the text (that code
    unrolls Adam). D moves before G, as in the other games here (there at once).
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        K: int = gin.REQUIRED,
        rate: float = gin.REQUIRED,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives logits [B].
            K: how many updates are unrolled, in [0, 1000].
            rate: the learning rate of these updates, positive.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range.
        """
        if not 0 <= K <= 1000:
            raise ValueError(f"UnrolledGAN.K is {K}; it must lie in [0, 1000], as each is a part of the step's graph")
        if not rate > 0:
            raise ValueError(f"UnrolledGAN.rate is {rate}; it must be positive")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.K, self.rate = K, rate

    @property
    def batch_coupled(self) -> bool:
        return True  # each unrolled update takes the mean over the batch

    def phases(self) -> list[Phase]:
        return self.alternating(self.told_apart(adversarial.CrossEntropy().discriminator), self._generator_losses)

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        x_gen = self.prior_samples(x, key)
        with frozen_statistics(self.discriminator), substituted(self.discriminator, self._unrolled(x, x_gen)):
            return {"generator": {"sample": -self._f(x, x_gen)}}, {}

    def _f(self, x: tf.Tensor, x_gen: tf.Tensor) -> tf.Tensor:
        """f of each pair, [B], by the discriminator with the weights that it now has."""
        return adversarial.CrossEntropy().discriminator(*self.judge(x, x_gen))

    def _unrolled(self, x: tf.Tensor, x_gen: tf.Tensor) -> dict[int, tf.Tensor]:
        """The weights of D_K, by the ids of D's variables."""
        weights = {id(v): tf.convert_to_tensor(v) for v in self.discriminator.trainable_variables}
        for _ in range(self.K):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                with substituted(self.discriminator, weights):
                    f = tf.reduce_mean(self._f(x, x_gen))
            slopes = tape.gradient(f, weights)
            weights = {name: weights[name] - self.rate * slopes[name] for name in weights}
        return weights
