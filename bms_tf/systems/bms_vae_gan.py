"""BMS-VAE-GAN: "Best of Many" samples distribution matching (Bhattacharyya, Fritz, Schiele 2019)."""

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from typing import Literal

import gin
import tensorflow as tf

from bms_tf.core.functional import computing_in_bfloat16, frozen_statistics
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import adversarial, best_of_many, divergences, visible


@gin.configurable
class BMSVAEGAN(System):
    """Maximizes, jointly over encoder and generator (workshop paper, eq. 4, with its reductions selectable),

        L = alpha * S(x) + beta * max_i log p(x|z_i) - KL(q(z|x) || p(z)),    z_1 .. z_T ~ q(z|x),

    where S is a reduction of log D_I(G(z_i)), minus the generator's side g of D_I's loss:

    | term | of the objective | source |
    | --- | --- | --- |
    | autoencoder/reconstruction | -beta max_i log p(x|z_i), log p = -lambda ||x - G(z)||_1 | eq. 3, 4 |
    | autoencoder/synthetic_likelihood | -alpha S, S the least (or mean) -g(D_I(x), D_I(G(z_i))) | eq. 3, 4 |
    | autoencoder/sample | sample_weight g(D_I(x), D_I(G(z))), z ~ p(z) | ours, after alpha-GAN eq. 13 |
    | autoencoder/prior | -log [D_L(z_1) / (1 - D_L(z_1))] | eq. 4, "classifier based estimate" |
    | autoencoder/code | -code_weight log q(z|G(z)), z ~ p(z), over the encoder alone | ours, see below |
    | discriminator/reconstruction, /sample | D_I's loss of the pairs x, G(z_1) and x, G(z) | algorithm 1, line 4 |
    | code_discriminator/* | cross-entropy | algorithm 1, line 5 |

    Eq. 4 as printed has no term on samples of the prior, so `sample_weight` is 0. Algorithm 1 as printed shows only
    samples to D_I, not reconstructions, so `fakes = "samples"`. The papers' loss is the hinge, with g = -log D_I. With
    T = 1 it is alpha-GAN + SN (joint updates). With `alpha` and `sample_weight` 0 it is BMS-VAE, and has no D_I.

    The code term is the sleep phase of wake-sleep (Hinton, Dayan, Frey, Neal 1995, eq. 6 and 7). Without it the encoder
    learns through G alone. Where G is flat around each mode, a code in a wrong mode gets no gradient towards the right
    one. Only a fifth to a half of all x then have their z_1 reconstruction in their own mode. Where none of the T
    candidates hits that mode, the best of them is pulled across. `code_weight` is 0 in the papers.

    Deviations: the papers do not give the posterior (here that of the encoder, by default a diagonal Gaussian), the
    margins (1), or how the norm is reduced (the sum in 2-D, the mean for images). D_L, the prior term and D_I's
    reconstructions use z_1, never the winner, which is a biased draw of q(z|x). A generator with a visible distribution
    has lambda times its log p(x|z) instead, and D_I sees its mean.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model | None,
        code_discriminator: keras.Model | None,
        T: int = gin.REQUIRED,
        lambda_: float = gin.REQUIRED,
        alpha: float = 1.0,
        beta: float = 1.0,
        sample_weight: float = 1.0,
        code_weight: float = 0.0,
        reconstruction: best_of_many.Reduction = best_of_many.BestOfMany(),
        synthetic_likelihood: best_of_many.Reduction = best_of_many.LeastRealistic(),
        prior_term: divergences.PriorTerm | None = None,
        discriminator_loss: adversarial.AdversarialLoss = adversarial.Hinge(),
        fakes: Literal["both", "samples"] = "both",
        all_codes: bool = False,
        gradient: best_of_many.Gradient = best_of_many.WinnersOnly(),
        seed: int = 0,
        ema: float | None = None,
    ):
        """Sets up the players.

        Args:
            encoder: has `posterior(x)`.
            generator: gives data [B, ...], or the numbers of its visible distribution.
            discriminator: D_I, which gives logits [B]; None where `alpha` and `sample_weight` are 0.
            code_discriminator: D_L, which gives logits [B]; None with a `prior_term`.
            T: codes drawn from q(z|x) for each data point, at least 1.
            lambda_: lambda, the scale of log p(x|z), not negative.
            alpha: the weight of the synthetic likelihood, not negative.
            beta: the weight of the reconstruction, not negative.
            sample_weight: the weight of the term on samples of the prior, not negative.
            code_weight: the weight of the code term, not negative.
            reconstruction: how the T candidates' likelihoods become one.
            synthetic_likelihood: how the T candidates' scores by D_I become one.
            prior_term: `prior_term(posterior, z)` replaces D_L's estimate of the KL.
            discriminator_loss: D_I's loss, and its other side g, which the autoencoder minimizes.
            fakes: what D_I tells from data: "samples" of the prior, or "both" samples and reconstructions.
            all_codes: whether D_L, the prior term and D_I's reconstructions see z_1 .. z_T instead of z_1.
            gradient: how the T candidates are differentiated.
            seed: seeds all noise.
            ema: decay of the moving average of the generator's weights, in (0, 1); None for no average.

        Raises:
            ValueError: if a value is out of range, or networks and weights do not fit each other.
        """
        if T < 1:
            raise ValueError(f"BMSVAEGAN.T is {T}; it must be at least 1")
        weights = {
            "lambda_": lambda_,
            "alpha": alpha,
            "beta": beta,
            "sample_weight": sample_weight,
            "code_weight": code_weight,
        }
        for name, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"BMSVAEGAN.{name} is {weight}; it must be finite and not negative")
        if fakes not in ("both", "samples"):
            raise ValueError(f'BMSVAEGAN.fakes is {fakes!r}; allowed are "both" and "samples"')
        if all_codes and T > 1 and getattr(prior_term, "of_one_code", False):
            raise ValueError("BMSVAEGAN.all_codes is True, but the Monte Carlo KL takes one code for each x")
        kl = divergences.code_discriminator_or(prior_term, code_discriminator, "BMSVAEGAN")
        adversarial_game = alpha > 0 or sample_weight > 0
        if adversarial_game and discriminator is None:
            raise ValueError(
                f"BMSVAEGAN.alpha is {alpha} and sample_weight {sample_weight} but there is no discriminator; "
                "without one both must be 0"
            )
        networks = {"encoder": encoder, "generator": generator}
        players: dict[str, tuple[str, ...]] = {"autoencoder": ("encoder", "generator")}
        if adversarial_game:
            networks["discriminator"], players["discriminator"] = discriminator, ("discriminator",)
        if prior_term is None:
            networks["code_discriminator"], players["code_discriminator"] = code_discriminator, ("code_discriminator",)
        super().__init__(networks=networks, players=players, seed=seed, ema=ema, visible=visible.of(generator))
        self.T = T
        self.lambda_, self.alpha, self.beta = lambda_, alpha, beta
        self.sample_weight, self.code_weight = sample_weight, code_weight
        self.reconstruction, self.synthetic_likelihood = reconstruction, synthetic_likelihood
        self.prior_term = kl
        self.discriminator_loss, self.fakes = discriminator_loss, fakes
        self.codes_seen = T if all_codes else 1
        self.gradient = gradient

    @property
    def batch_coupled(self) -> bool:
        return super().batch_coupled or getattr(self.prior_term, "batch_coupled", False)

    @property
    def codes_per_example(self) -> int:
        return self.T

    def phases(self) -> list[Phase]:
        phases = [Phase("autoencoder", self._autoencoder_losses)]
        if "discriminator" in self.players:
            phases.append(Phase("discriminator", self._discriminator_losses))
        if "code_discriminator" in self.players:
            phases.append(Phase("code_discriminator", self._code_discriminator_losses))
        return phases

    def _autoencoder_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        posterior = self.encoder.posterior(x)
        noise = self._noise(x, key, self.T)
        loss, real, sample, x_gen = self.discriminator_loss, None, None, None
        if "discriminator" in self.players or self.code_weight > 0:
            x_gen = self.prior_samples(x, key)
        if "discriminator" in self.players:
            real, sample = self.judge(x, x_gen) if loss.needs_real else (None, *self.judge(x_gen))
        reconstruction = self.reconstruction.at(self.generator_updates_done)
        terms = [(lambda outputs: self.lambda_ * self._log_prob(x, outputs), reconstruction)]
        if self.alpha > 0:
            synthetic_likelihood = self.synthetic_likelihood.at(self.generator_updates_done)
            terms.append((partial(self._log_ratio, real), synthetic_likelihood))
        values = self.gradient(
            lambda noise: self._decode(posterior.sample(noise)),
            noise,
            key.uniform("choice", (x.shape[0],), draws=(len(terms),)),
            terms,
            self._scoring,
        )
        losses = {"reconstruction": -self.beta * values[0], "prior": self._prior(posterior, noise)}
        if self.alpha > 0:
            losses["synthetic_likelihood"] = -self.alpha * values[1]
        if self.sample_weight > 0:
            losses["sample"] = self.sample_weight * loss.generator(real, sample)
        if self.code_weight > 0:
            dreamt = self.encoder.posterior(tf.stop_gradient(x_gen))
            losses["code"] = -self.code_weight * dreamt.log_prob(self.prior_codes(x, key))
        return {"autoencoder": losses}, {}

    def _discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        loss, x_gen = self.discriminator_loss.discriminator, self.prior_samples(x, key)
        if self.fakes == "samples":
            return {"discriminator": {"sample": loss(*self.judge(x, x_gen))}}, {}
        x_hat = self.decode(self._codes(self.encoder.posterior(x), self._noise(x, key, self.codes_seen)))
        real, sample, reconstruction = self.judge(x, x_gen, x_hat)
        reconstruction = tf.reshape(reconstruction, [self.codes_seen, -1])  # each x beside all of its own
        return {"discriminator": {"sample": loss(real, sample), "reconstruction": loss(real, reconstruction)}}, {}

    def _code_discriminator_losses(self, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        codes = self._codes(self.encoder.posterior(x), self._noise(x, key, self.codes_seen))
        losses = adversarial.code_losses(*self.judge_codes(self.prior_codes(x, key), codes))
        return {"code_discriminator": losses}, {}

    @contextlib.contextmanager
    def _scoring(self, precision: str | None) -> Iterator[None]:
        """How the networks compute while all T candidates are scored."""
        networks = [self.networks[name] for name in ("generator", "discriminator") if name in self.networks]
        with contextlib.ExitStack() as stack:
            stack.enter_context(frozen_statistics(*networks))
            if precision == "bfloat16":
                stack.enter_context(computing_in_bfloat16(*networks))
            yield

    def _noise(self, x: tf.Tensor, key: Key, draws: int) -> tf.Tensor:
        return key.normal("posterior", (x.shape[0], self.code_size), draws=(draws,))

    def _codes(self, posterior, noise: tf.Tensor) -> tf.Tensor:
        """z_1 of each x, [B, Z], or all of z_1 .. z_T."""
        return tf.reshape(posterior.sample(noise[: self.codes_seen]), [-1, self.code_size])

    def _prior(self, posterior, noise: tf.Tensor) -> tf.Tensor:
        return self.prior_term(posterior, self._codes(posterior, noise))

    def _decode(self, z: tf.Tensor) -> tf.Tensor:
        """Codes [K, B, Z] to the generator's outputs [K, B, ...]."""
        outputs = self.generator(tf.reshape(z, [-1, self.code_size]), training=True)
        return tf.reshape(outputs, [*z.shape[:2], *outputs.shape[1:]])

    def _log_ratio(self, real: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """log D_I, [K, B], of candidates, given as the generator's outputs [K, B, ...]; `real`: D_I's logits [B]."""
        candidates = tf.reshape(self._mean(outputs), [-1, *self.data_shape])
        logits = tf.reshape(self.judge(candidates)[0], outputs.shape[:2])
        return -self.discriminator_loss.generator(real, logits)
