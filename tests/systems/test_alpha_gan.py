"""One step of alpha-GAN, of its ablation, of VGH++ and of VGH against the equations."""

import sys
from functools import partial

import numpy as np
import pytest

from bms_tf.networks import roles
from bms_tf.objectives.adversarial import RelativisticPairing
from bms_tf.objectives.divergences import empirical_kl
from bms_tf.objectives.visible import Bernoulli
from bms_tf.systems.alpha_gan import AlphaGAN
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, gaussian, logit, probability

ROLES = {
    "encoder": roles.gaussian_encoder,
    "generator": roles.generator,
    "discriminator": roles.discriminator,
    "code_discriminator": roles.code_discriminator,
}


def build(wrapper=tiny.wrap, **options) -> AlphaGAN:
    networks = tiny.networks(wrapper=wrapper, **ROLES)
    return AlphaGAN(**{**networks, "encoder_lambda": 0.7, "generator_lambda": 1.9, **options})


# Equations 11, 13, 14 and 17. C and D are probabilities, R(d) = -log d + log(1 - d).


def R(d):
    return -np.log(d) + np.log(1 - d)


def codes(w, draws):
    mean, stddev = gaussian(w["encoder"], X)
    return mean + stddev * draws.normal("posterior", (B, Z)), draws.normal("prior", (B, Z))


def decoded(w, draws):
    return (forward(w["generator"], z) for z in codes(w, draws))


def softplus(s):
    return np.log1p(np.exp(s))


def l1(x_hat):
    return abs(X - x_hat).sum(axis=-1)


def encoder(w, draws):
    (z_hat, _), (x_hat, _) = codes(w, draws), decoded(w, draws)
    return {"encoder": {"reconstruction": 0.7 * l1(x_hat), "prior": R(probability(w["code_discriminator"], z_hat))}}


def generator(w, draws):
    x_hat, x_gen = decoded(w, draws)
    return {
        "generator": {
            "reconstruction": 1.9 * l1(x_hat),
            "adversarial_reconstruction": R(probability(w["discriminator"], x_hat)),
            "sample": R(probability(w["discriminator"], x_gen)),
        }
    }


def discriminator(w, draws):
    real, hat, gen = (probability(w["discriminator"], x) for x in (X, *decoded(w, draws)))
    # Data in two pairs: -2 log D(x) in all.
    return {
        "discriminator": {
            "reconstruction": -np.log(real) - np.log(1 - hat),
            "sample": -np.log(real) - np.log(1 - gen),
        }
    }


def code_discriminator(w, draws):
    posterior, prior = (probability(w["code_discriminator"], z) for z in codes(w, draws))
    return {"code_discriminator": {"posterior": -np.log(1 - posterior), "prior": -np.log(prior)}}


EQUATIONS = {
    "encoder": encoder,
    "generator": generator,
    "discriminator": discriminator,
    "code_discriminator": code_discriminator,
}


def test_alpha_gan(check_step):
    check_step(build(), X, EQUATIONS)


def test_relativistic_pairs(check_step):
    """x against x_hat and against G(z), on both sides of the game."""

    def logits(w, draws):
        return (logit(w["discriminator"], x) for x in (X, *decoded(w, draws)))

    def relativistic_generator(w, draws):
        real, hat, gen = logits(w, draws)
        reconstruction = generator(w, draws)["generator"]["reconstruction"]
        pairs = {"adversarial_reconstruction": softplus(real - hat), "sample": softplus(real - gen)}
        return {"generator": {"reconstruction": reconstruction, **pairs}}

    def relativistic_discriminator(w, draws):
        real, hat, gen = logits(w, draws)
        return {"discriminator": {"reconstruction": softplus(hat - real), "sample": softplus(gen - real)}}

    players = {"generator": relativistic_generator, "discriminator": relativistic_discriminator}
    check_step(build(discriminator_loss=RelativisticPairing()), X, {**EQUATIONS, **players})


def test_a_visible_distribution(check_step, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "forward", tiny.mean_of_bits)  # used for the generator alone
    monkeypatch.setattr(sys.modules[__name__], "l1", lambda x_hat: -tiny.log_p_of_bits(x_hat))
    networks = tiny.networks(**{**ROLES, "generator": partial(roles.generator, visible=Bernoulli)})
    check_step(AlphaGAN(**networks, encoder_lambda=0.7, generator_lambda=1.9), X, EQUATIONS)


def test_the_empirical_kl(check_step):
    def empirical(w, draws):
        # Eq. 18 for the batch's means m and deviations s of each of n dimensions, with -n/2, and divided by n.
        z_hat, _ = codes(w, draws)
        x_hat, _ = decoded(w, draws)
        m, s = z_hat.mean(axis=0), z_hat.std(axis=0)
        kl = -Z / 2 + sum((s**2 + m**2) / 2 - np.log(s))
        return {"encoder": {"reconstruction": 0.7 * l1(x_hat), "prior": kl / Z}}

    system = build(code_discriminator=None, prior_term=empirical_kl)
    assert list(system.players) == ["encoder", "generator", "discriminator"] and system.batch_coupled
    check_step(system, X, {"encoder": empirical, "generator": generator, "discriminator": discriminator})


def test_vgh_plus_plus_without_its_samples_is_vgh(check_step):
    """VGH, appendix F of Rosca et al. 2018: VGH++'s terms but those of samples, so that data weighs 1, as in eq. 8."""

    def without_samples(equations, player):
        def terms(w, draws):
            terms = dict(equations(w, draws)[player])
            del terms["sample"]
            return {player: terms}

        return terms

    changed = {player: without_samples(EQUATIONS[player], player) for player in ("generator", "discriminator")}
    vgh = {**EQUATIONS, **changed}
    check_step(build(autoencoder_updates=1, samples=False), X, vgh)


def test_two_updates_of_encoder_and_generator_for_one_of_each_discriminator():
    repeats = {phase.name: phase.repeats for phase in build().phases()}
    assert repeats == {"encoder": 2, "generator": 2, "discriminator": 1, "code_discriminator": 1}
    assert [phase.repeats for phase in build(autoencoder_updates=1).phases()] == [1, 1, 1, 1]
    # Every network is a player of its own, so that D's gradient cannot reach the encoder.
    assert build().players == {name: (name,) for name in repeats}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_lambda": -1.0}, "encoder_lambda is -1.0; it must not be negative"),
        ({"generator_lambda": -0.5}, "generator_lambda is -0.5; it must not be negative"),
        ({"autoencoder_updates": 0}, "autoencoder_updates is 0; it must be at least 1"),
        ({"code_discriminator": None}, "either a code_discriminator or another prior_term, and not both"),
        ({"prior_term": empirical_kl}, "either a code_discriminator or another prior_term, and not both"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
