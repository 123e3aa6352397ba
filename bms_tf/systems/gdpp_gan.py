"""GDPP-GAN: learning diverse generations using determinantal point processes (Elfeki et al. 2019)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, determinantal


@gin.configurable
class GDPPGAN(System):
    """A GAN whose generator also matches the spectrum of a batch of data in the discriminator's features.

    | term | loss | source |
    | --- | --- | --- |
    | discriminator/sample | -log D(x) - log(1 - D(G(z))) | that of a GAN |
    | generator/sample | -log D(G(z)) | that of a GAN |
    | generator/magnitude | weight * (eigenvalues of data - of samples)^2 | L_m |
    | generator/structure | -cosines of their eigenvectors, weighed by the data's eigenvalues | L_s |

    Features of length 1, the mean over eigenvalues, and the weight of 1e-4 are from the authors' code (M-Elfeki/GDPP).
    Its networks and rates for ring and grid are in gin/systems/gdpp_gan_2d.gin. Deviations: the cosines have no sign
    (see objectives/determinantal.py). The generator's loss is not halved, which makes no difference under Adam. D moves
    before G, as in the other games here (there at once).
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        discriminator: keras.Model,
        magnitude_weight: float = 1e-4,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            generator: gives data [B, ...].
            discriminator: gives logits [B].
            magnitude_weight: the weight of L_m, not negative.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a negative weight.
        """
        if magnitude_weight < 0:
            raise ValueError(f"GDPPGAN.magnitude_weight is {magnitude_weight}; it must not be negative")
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed, ema=ema)
        self.magnitude_weight = magnitude_weight

    @property
    def batch_coupled(self) -> bool:
        return True  # a kernel is one of all examples of a batch

    def phases(self) -> list[Phase]:
        return self.alternating(self.told_apart(adversarial.CrossEntropy().discriminator), self._generator_losses)

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        _, real = self.discriminate_with_features(x, training=True)
        logits, sample = self.discriminate_with_features(self.prior_samples(x, key), training=True)
        magnitude, structure = determinantal.diversity(real, sample)
        losses = {
            "sample": adversarial.cross_entropy_real(logits),
            "magnitude": self.magnitude_weight * magnitude,
            "structure": structure,
        }
        return {"generator": losses}, {}
