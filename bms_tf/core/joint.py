"""What the systems share that have a discriminator of pairs of data and codes."""

from collections.abc import Callable

from bms_tf.core.generative import Visible
from bms_tf.core.keras import keras
from bms_tf.core.system import System


class JointSystem(System):
    """Two players that move at once: encoder and generator, and the discriminator of pairs."""

    likelihood: Callable[[keras.Model], Visible] | None = None  # of a generator; see `visible` of `System`

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        joint_discriminator: keras.Model,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`.
            generator: gives data [B, ...], or the numbers of its visible distribution.
            joint_discriminator: gives logits [B] of a list of data and codes.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.
        """
        super().__init__(
            networks={"encoder": encoder, "generator": generator, "joint_discriminator": joint_discriminator},
            players={"autoencoder": ("encoder", "generator"), "joint_discriminator": ("joint_discriminator",)},
            seed=seed,
            ema=ema,
            visible=self.likelihood and self.likelihood(generator),
        )
