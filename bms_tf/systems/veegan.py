"""VEEGAN: reducing mode collapse in GANs using implicit variational learning (Srivastava et al. 2017)."""

from collections.abc import Callable

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, likelihoods


@gin.configurable
class VEEGAN(System):
    """The encoder is the paper's reconstructor F; the three networks are updated at once (algorithm 1).

    D is high for data, so it is minus the paper's log ratio D_omega (eq. 4).

    | term | loss | source |
    | --- | --- | --- |
    | generator/adversarial | -D(G(z), z) | eq. 5, first term; algorithm 1, line 10 |
    | encoder/ and generator/code_reconstruction | code_lambda ‖z - F(G(z))‖² | eq. 5, second term; lines 8 and 10 |
    | encoder/ and generator/data_reconstruction | data_lambda ‖x - G(F(x))‖² | appendix E |
    | joint_discriminator/data, /model | -log sigmoid(D(x, z_hat)), -log(1 - sigmoid(D(G(z), z))) | eq. 6; line 6 |

    VEEGAN has code_lambda 1 and data_lambda 0, and VEEGAN+DAE the other way round. The generator's loss is the logit
    itself and does not saturate. D's codes of data are drawn from p(z|x) (algorithm 1, line 5). In the authors' code
    for the ring, p(z|x) is a Gaussian of standard deviation 1 around F(x). Without that noise, D tells all pairs apart,
    and the generator's loss has no bound. The reconstructions are of F(x) itself. Rosca et al. 2018 take the l1 norm
    for codes (`log_laplace`). Before algorithm 1, F is trained alone for a few steps (section 5.2), which count as
    steps.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        joint_discriminator: keras.Model,
        code_lambda: float = gin.REQUIRED,
        data_lambda: float = gin.REQUIRED,
        pretraining: int = gin.REQUIRED,
        code_likelihood: Callable[[tf.Tensor, tf.Tensor, float], tf.Tensor] = likelihoods.log_gaussian,
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: F, which has `posterior(x)`.
            generator: gives data [B, ...].
            joint_discriminator: gives logits [B] of a list of data and codes.
            code_lambda: the weight of the reconstruction of codes, not negative.
            data_lambda: the weight of the reconstruction of data, not negative. One of the two must be positive.
            pretraining: how many steps F is trained alone, a multiple of the log interval, not negative.
            code_likelihood: `code_likelihood(z, z_hat, code_lambda)`, the negative distance of codes.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range.
        """
        for name, value in {"code_lambda": code_lambda, "data_lambda": data_lambda, "pretraining": pretraining}.items():
            if value < 0:
                raise ValueError(f"VEEGAN.{name} is {value}; it must not be negative")
        if code_lambda == data_lambda == 0:
            raise ValueError("VEEGAN.code_lambda and data_lambda are 0; one must be positive, or nothing trains F")
        networks = {"encoder": encoder, "generator": generator, "joint_discriminator": joint_discriminator}
        super().__init__(networks=networks, seed=seed, ema=ema)
        self.code_lambda, self.data_lambda, self.pretraining = code_lambda, data_lambda, pretraining
        self.code_likelihood = code_likelihood

    def phases(self) -> list[Phase]:
        game = Phase("game", self._game_losses, start=self.pretraining)
        if not self.pretraining:
            return [game]
        return [Phase("pretraining", self._pretraining_losses, stop=self.pretraining), game]

    def _pretraining_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        return {"encoder": self._reconstructions(x, *self._pairs(x, key))}, {}

    def _game_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        z, x_gen, posterior = self._pairs(x, key)
        reconstructions = self._reconstructions(x, z, x_gen, posterior)
        data = self.joint_discriminator([x, posterior.sample(key.normal("posterior", z.shape))], training=True)
        model = self.joint_discriminator([x_gen, z], training=True)
        return {
            "encoder": reconstructions,
            "generator": {"adversarial": -model, **reconstructions},
            "joint_discriminator": {
                "data": adversarial.cross_entropy_real(data),
                "model": adversarial.cross_entropy_fake(model),
            },
        }, {}

    def _pairs(self, x: tf.Tensor, key: Key):
        """z ~ p(z) with G(z), and p(z|x)."""
        z = self.prior_codes(x, key)
        return z, self.decode(z), self.encoder.posterior(x)

    def _reconstructions(self, x, z, x_gen, posterior) -> dict[str, tf.Tensor]:
        terms, no_noise = {}, tf.zeros_like(z)  # F(x) is the code at no noise
        if self.code_lambda:
            z_hat = self.encoder.posterior(x_gen).sample(no_noise)
            terms["code_reconstruction"] = -self.code_likelihood(z, z_hat, self.code_lambda)
        if self.data_lambda:
            x_hat = self.decode(posterior.sample(no_noise))
            terms["data_reconstruction"] = -likelihoods.log_gaussian(x, x_hat, self.data_lambda)
        return terms
