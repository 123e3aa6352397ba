"""AVB: adversarial variational Bayes (Mescheder, Nowozin, Geiger 2017), without adaptive contrast."""

import gin
import tensorflow as tf

from bms_tf.core.joint import JointSystem
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase
from bms_tf.objectives import adversarial, visible


@gin.configurable
class AVB(JointSystem):
    """A VAE with any posterior that can be drawn from. The logit T(x, z) estimates log q(z|x) - log p(z).

    | term | loss | source |
    | --- | --- | --- |
    | autoencoder/reconstruction | -log p(x|z_hat), z_hat ~ q(z|x) | eq. 3.7; algorithm 1 |
    | autoencoder/kl | T(x, z_hat) | eq. 3.7; algorithm 1 |
    | joint_discriminator/posterior, /prior | -log sigma(T(x, z_hat)), -log(1 - sigma(T(x, z))), z ~ p(z) | eq. 3.3 |

    All three updates of an iteration are taken at once, from the same draws, as in algorithm 1. The gradient of T
    itself with respect to the encoder is 0 in expectation (proposition 2), so T is a loss like any other.
    """

    likelihood = staticmethod(visible.of)

    def phases(self) -> list[Phase]:
        return [Phase("iteration", self._losses_of_an_iteration)]

    def _losses_of_an_iteration(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z_hat = self.posterior_codes(x, key)
        posterior = self.joint_discriminator([x, z_hat], training=True)
        prior = self.joint_discriminator([x, self.prior_codes(x, key)], training=True)
        return {
            "autoencoder": {
                "reconstruction": -self._log_prob(x, self.generator(z_hat, training=True)),
                "kl": posterior,
            },
            "joint_discriminator": {
                "posterior": adversarial.cross_entropy_real(posterior),
                "prior": adversarial.cross_entropy_fake(prior),
            },
        }, {}
