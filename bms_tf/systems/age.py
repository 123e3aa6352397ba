"""AGE: adversarial generator-encoder networks, "It takes (only) two" (Ulyanov, Vedaldi, Lempitsky 2018)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import divergences, likelihoods


@gin.configurable
class AGE(System):
    """Encoder and generator play the game without a discriminator. The encoder tells data from samples by how far their
    codes are from the prior, Delta(e(G(z))) - Delta(e(x)). The generator makes this difference small.

    | term | loss | source |
    | --- | --- | --- |
    | encoder/data | Delta(e(x)) | the game, eq. 2 |
    | encoder/sample | -Delta(e(G(z))) | the game, eq. 2 |
    | encoder/reconstruction | data_weight ||x - G(e(x))||_1 | reciprocity in data space |
    | generator/sample | Delta(e(G(z))) | the game, eq. 2 |
    | generator/code | code_weight (1 - cos(z, e(G(z)))) | reciprocity in code space |

    Delta is the KL from N(0, I) of a normal fitted to a batch of codes, divided by the code size. Codes and prior lie
    on the unit sphere, as in the paper (Rosca et al. 2017, appendix H.3, write "ball"). There Delta is least, though
    not 0, when all dimensions have mean 0 and the same variance. The l1 norm and the cosine are those of Rosca et al.
    2017, appendix H.2, and of the authors' code (DmitryUlyanov/AGE). In that code, `cos` is the mean of z e(G(z)) over
    batch *and* dimensions, so its weight is our code_weight times the code size. That code squares the variance where
    the KL has the variance; the KL is followed. The norm is a sum in 2-D and a mean over pixels.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        data_weight: float = gin.REQUIRED,
        code_weight: float = gin.REQUIRED,
        generator_updates: int = 2,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`, whose codes lie on the unit sphere.
            generator: gives data [B, ...].
            data_weight: the weight of the reconstruction of data, not negative.
            code_weight: the weight of the reconstruction of codes, not negative.
            generator_updates: the generator's updates for each of the encoder, at least 1.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range.
        """
        for name, weight in {"data_weight": data_weight, "code_weight": code_weight}.items():
            if weight < 0:
                raise ValueError(f"AGE.{name} is {weight}; it must not be negative")
        if generator_updates < 1:
            raise ValueError(f"AGE.generator_updates is {generator_updates}; it must be at least 1")
        networks = {"encoder": encoder, "generator": generator}
        super().__init__(networks=networks, seed=seed, ema=ema)
        self.data_weight, self.code_weight = data_weight, code_weight
        self.generator_updates_per_encoder_update = generator_updates

    @property
    def batch_coupled(self) -> bool:
        return True

    def sample_prior(self, seeds: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(super().sample_prior(seeds), axis=-1)

    def prior_codes(self, x: tf.Tensor, key: Key) -> tf.Tensor:
        return tf.math.l2_normalize(super().prior_codes(x, key), axis=-1)

    def phases(self) -> list[Phase]:
        return [
            Phase("encoder", self._encoder_losses),
            Phase("generator", self._generator_losses, repeats=self.generator_updates_per_encoder_update),
        ]

    def _encoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        codes = self.posterior_codes(x, key)
        losses = {
            "data": _delta(codes),
            "sample": -_delta(self.posterior_codes(self.prior_samples(x, key), key)),
            "reconstruction": -likelihoods.log_laplace(x, self.decode(codes), self.data_weight),
        }
        return {"encoder": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z = self.prior_codes(x, key)
        codes = self.posterior_codes(self.decode(z), key)
        losses = {
            "sample": _delta(codes),
            "code": self.code_weight * (1 - tf.reduce_sum(z * codes, axis=-1)),  # both have length 1
        }
        return {"generator": losses}, {}


def _delta(codes: tf.Tensor) -> tf.Tensor:
    return divergences.empirical_kl(None, codes)
