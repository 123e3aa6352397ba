"""alpha-GAN: variational approaches for auto-encoding GANs (Rosca, Lakshminarayanan, Warde-Farley, Mohamed 2017)."""

import gin
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, divergences, visible


@gin.configurable
class AlphaGAN(System):
    """Encoder and generator are updated separately: D's gradient does not reach the encoder (algorithm 1).

    With R(d) = -log d + log(1 - d), which is minus the logit of d, and the cross-entropy as D's loss:

    | term | loss | source |
    | --- | --- | --- |
    | encoder/reconstruction | lambda ||x - x_hat||_1 | eq. 11 |
    | encoder/prior | R(C(z_hat)) | eq. 11 |
    | generator/reconstruction | lambda ||x - x_hat||_1 | eq. 13 |
    | generator/adversarial_reconstruction, generator/sample | R(D(x_hat)), R(D(G(z))) | eq. 13 |
    | discriminator/reconstruction | -log D(x) - log(1 - D(x_hat)) | eq. 14 |
    | discriminator/sample | -log D(x) - log(1 - D(G(z))) | eq. 14 |
    | code_discriminator/posterior, /prior | -log(1 - C(z_hat)), -log C(z) | eq. 17 |

    Eq. 15 drops the factor 2 of eq. 14; eq. 14 is followed. Encoder and generator have two updates for each one of the
    discriminators (section 6). The norm is a sum in 2-D and a mean over pixels. With a visible distribution, -lambda
    log p(x|z) takes its place, and x_hat and G(z) are the distribution's mean. In the ablation of appendix D, the
    empirical KL, eq. 18, takes the place of C. Any other `discriminator_loss` is ours.

    VGH++ (Rosca et al. 2018, algorithm 5) is the same with one update of each. VGH (their appendix F, first equation)
    has no `sample` terms, so that real data weighs 1.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        code_discriminator: keras.Model | None,
        encoder_lambda: float = gin.REQUIRED,
        generator_lambda: float = gin.REQUIRED,
        autoencoder_updates: int = 2,
        samples: bool = True,
        prior_term: divergences.PriorTerm | None = None,
        discriminator_loss: adversarial.AdversarialLoss = adversarial.CrossEntropy(),
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`.
            generator: gives data [B, ...], or the numbers of its visible distribution.
            discriminator: gives logits [B].
            code_discriminator: gives logits [B]; None with a `prior_term`.
            encoder_lambda: the weight of the reconstruction in the encoder's loss, not negative.
            generator_lambda: the same in the generator's.
            autoencoder_updates: updates of encoder and generator for each one of the discriminators, at least 1.
            samples: whether D also sees G(z).
            prior_term: `prior_term(posterior, z)` replaces C's estimate of the KL.
            discriminator_loss: D's loss, and its other side, which encoder and generator minimize.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: for a value out of range, and for both or neither of `code_discriminator` and `prior_term`.
        """
        for name, weight in {"encoder_lambda": encoder_lambda, "generator_lambda": generator_lambda}.items():
            if weight < 0:
                raise ValueError(f"AlphaGAN.{name} is {weight}; it must not be negative")
        if autoencoder_updates < 1:
            raise ValueError(f"AlphaGAN.autoencoder_updates is {autoencoder_updates}; it must be at least 1")
        kl = divergences.code_discriminator_or(prior_term, code_discriminator, "AlphaGAN")
        networks = {"encoder": encoder, "generator": generator, "discriminator": discriminator}
        if prior_term is None:
            networks["code_discriminator"] = code_discriminator
        super().__init__(networks=networks, seed=seed, ema=ema, visible=visible.of(generator))
        self.encoder_lambda, self.generator_lambda = encoder_lambda, generator_lambda
        self.autoencoder_updates, self.samples, self.prior_term = autoencoder_updates, samples, kl
        self.discriminator_loss = discriminator_loss

    @property
    def batch_coupled(self) -> bool:
        return super().batch_coupled or getattr(self.prior_term, "batch_coupled", False)

    def phases(self) -> list[Phase]:
        phases = [
            Phase("encoder", self._encoder_losses, repeats=self.autoencoder_updates),
            Phase("generator", self._generator_losses, repeats=self.autoencoder_updates),
            Phase("discriminator", self._discriminator_losses),
        ]
        if "code_discriminator" in self.players:
            phases.append(Phase("code_discriminator", self._code_discriminator_losses))
        return phases

    def _encoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        posterior = self.encoder.posterior(x)
        z_hat = posterior.sample(key.normal("posterior", (x.shape[0], self.code_size)))
        losses = {
            "reconstruction": -self.encoder_lambda * self._log_prob(x, self.generator(z_hat, training=True)),
            "prior": self.prior_term(posterior, z_hat),
        }
        return {"encoder": losses}, {}

    def _generator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        loss, output = self.discriminator_loss, self.generator(self.posterior_codes(x, key), training=True)
        fakes = [self._mean(output), *([self.prior_samples(x, key)] if self.samples else [])]
        real, *logits = self.judge(x, *fakes) if loss.needs_real else (None, *self.judge(*fakes))
        terms = zip(("adversarial_reconstruction", "sample"), logits)
        return {
            "generator": {
                "reconstruction": -self.generator_lambda * self._log_prob(x, output),
                **{name: loss.generator(real, fake) for name, fake in terms},
            }
        }, {}

    def _discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        x_hat = self.decode(self.posterior_codes(x, key))
        real, *fakes = self.judge(x, x_hat, *([self.prior_samples(x, key)] if self.samples else []))
        terms = zip(("reconstruction", "sample"), fakes)
        return {"discriminator": {name: self.discriminator_loss.discriminator(real, fake) for name, fake in terms}}, {}

    def _code_discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        prior, posterior = self.prior_codes(x, key), self.posterior_codes(x, key)
        return {"code_discriminator": adversarial.code_losses(*self.judge_codes(prior, posterior))}, {}
