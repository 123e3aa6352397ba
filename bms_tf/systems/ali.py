"""ALI (adversarially learned inference, Dumoulin et al. 2017) and BiGAN (Donahue, Krähenbühl, Darrell 2017)."""

import gin
import tensorflow as tf

from bms_tf.core.joint import JointSystem
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase
from bms_tf.objectives import adversarial


@gin.configurable
class ALI(JointSystem):
    """A discriminator of pairs tells (x, z_hat), z_hat ~ q(z|x), from (G(z), z), z ~ p(z); both updates at once.

    | term | loss | source |
    | --- | --- | --- |
    | joint_discriminator/data, /model | -log D(x, z_hat), -log(1 - D(G(z), z)) | ALI, eq. 3 and algorithm 1 |
    | autoencoder/data, /model | -log(1 - D(x, z_hat)), -log D(G(z), z) | ALI, algorithm 1, L_g |

    ALI's encoder is stochastic. A deterministic one makes it BiGAN (Donahue et al., section 3). The papers' equation is
    a minimax game. As in their algorithms, encoder and generator have the form that does not saturate.
    """

    def phases(self) -> list[Phase]:
        return [Phase("game", self._game_losses)]

    def _game_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z = self.prior_codes(x, key)
        data = self.joint_discriminator([x, self.posterior_codes(x, key)], training=True)
        model = self.joint_discriminator([self.decode(z), z], training=True)
        real, fake = adversarial.cross_entropy_real, adversarial.cross_entropy_fake
        return {
            "autoencoder": {"data": fake(data), "model": real(model)},
            "joint_discriminator": {"data": real(data), "model": fake(model)},
        }, {}
