"""VAE: auto-encoding variational Bayes (Kingma and Welling 2014)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import divergences, visible


@gin.configurable
class VAE(System):
    """Minimizes the negative of the evidence lower bound, one code per data point.

    | term | loss | source |
    | --- | --- | --- |
    | autoencoder/reconstruction | -log p(x|z), z ~ q(z|x) | eq. 7; Rosca et al. 2018, eq. 4 |
    | autoencoder/kl | KL(q(z|x) || p(z)): analytic, or log q(z|x) - log p(z) | appendix B; eq. 6 |

    p(x|z) is the generator's visible distribution. The posterior is the encoder's. One that is not Gaussian, such as
    RealNVP's (Rosca et al. 2018, section 3.1), needs the Monte Carlo form of the KL.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        kl: divergences.PriorTerm = divergences.analytic_kl,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`.
            generator: its visible distribution is p(x|z).
            kl: `kl(posterior, z)`, per example [B], see `objectives.divergences`.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.
        """
        super().__init__(
            networks={"encoder": encoder, "generator": generator},
            players={"autoencoder": ("encoder", "generator")},
            seed=seed,
            ema=ema,
            visible=visible.of(generator),
        )
        self.kl = kl

    @property
    def batch_coupled(self) -> bool:
        return super().batch_coupled or getattr(self.kl, "batch_coupled", False)

    def phases(self) -> list[Phase]:
        return [Phase("autoencoder", self._losses_of_the_bound)]

    def _losses_of_the_bound(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        posterior = self.encoder.posterior(x)
        z = posterior.sample(key.normal("posterior", (x.shape[0], self.code_size)))
        losses = {
            "reconstruction": -self._log_prob(x, self.generator(z, training=True)),
            "kl": self.kl(posterior, z),
        }
        return {"autoencoder": losses}, {}
