"""One step of BMS-VAE-GAN in all its forms against the equations, written out here on plain arrays."""

from functools import partial
from types import SimpleNamespace

import gin
import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import every_layer
from bms_tf.core.random import Key
from bms_tf.networks import roles
from bms_tf.networks.layers import batch_normalization, spectral_normalization
from bms_tf.objectives.adversarial import CrossEntropy, Hinge, RelativisticPairing
from bms_tf.objectives.best_of_many import Annealed, LeastRealistic, LogMeanExp, Mean, Naive, WinnersOnly
from bms_tf.objectives.divergences import analytic_kl, empirical_kl, monte_carlo_kl
from bms_tf.objectives.visible import Bernoulli
from bms_tf.systems.bms_vae_gan import BMSVAEGAN
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, gaussian, logit, probability

LAMBDA, ALPHA, BETA = 0.7, 0.6, 1.3
ROLES = {
    "encoder": roles.gaussian_encoder,
    "generator": roles.generator,
    "discriminator": roles.discriminator,
    "code_discriminator": roles.code_discriminator,
}


def build(normalization=None, wrapper=tiny.wrap, visible=None, **options) -> BMSVAEGAN:
    made = {**ROLES, "generator": partial(roles.generator, visible=visible)}
    networks = tiny.networks(wrapper=wrapper, normalization=normalization, **made)
    return BMSVAEGAN(**{**networks, "T": 4, "lambda_": LAMBDA, "alpha": ALPHA, "beta": BETA, **options})


# Reductions of scores s, [T, B]; the uniform u, [B], is for those that draw one of the T.


def log_mean_exp(s, u):
    return np.log(np.mean(np.exp(s), axis=0))


def drawn_uniformly(s, u):
    """The score of the candidate that u chooses, of T with equal weights."""
    return s[np.floor(u * len(s)).astype(int), np.arange(B)]


def drawn_by_softmax():
    """log mean exp, with the gradient of the one candidate at which the sum of softmax weights passes u."""
    constant = {}  # what has no gradient, from the first call

    def reduce(s, u):
        if not constant:
            below = np.cumsum(np.exp(s) / np.exp(s).sum(axis=0), axis=0) <= u
            constant["index"] = below.sum(axis=0), np.arange(B)
            constant["rest"] = log_mean_exp(s, u) - s[constant["index"]]
        return s[constant["index"]] + constant["rest"]

    return reduce


REDUCTIONS = {
    "max": lambda s, u: s.max(axis=0),
    "min": lambda s, u: s.min(axis=0),
    "mean": lambda s, u: s.mean(axis=0),
    "lme": log_mean_exp,
}


# The equations. `w` maps a network to its weights.


def codes(w, noise):
    """z = mean + stddev * noise, [T, B, Z]."""
    mean, stddev = gaussian(w["encoder"], X)
    return mean + stddev * noise


def classifier_kl(w, z):
    """-log [D_L / (1 - D_L)]."""
    d = probability(w["code_discriminator"], z)
    return -np.log(d / (1 - d))


def gaussian_kl(w, z):
    """KL[N(m, s^2) || N(0, 1)] summed over dimensions."""
    mean, s = gaussian(w["encoder"], X)
    return ((s**2 + mean**2 - 1) / 2 - np.log(s)).sum(axis=-1)


def moments_kl(w, z):
    """The same with the moments of all codes, averaged over dimensions."""
    m, s = z.mean(axis=0), z.std(axis=0)
    return np.mean((s**2 + m**2 - 1) / 2 - np.log(s))


def autoencoder(w, draws, c):
    """-L = -beta max_i log p(x|z_i) - alpha S + KL, and what the generator has against D_I's judgment of samples."""
    z = codes(w, draws.normal("posterior", (B, Z), (c.T,)))
    candidates = c.decode(w["generator"], z)
    u = draws.uniform("choice", (B,), (2 if c.alpha else 1,))
    terms = {
        "reconstruction": -BETA * c.best(LAMBDA * c.log_p(candidates), u[0]),
        "prior": c.kl(w, z[: c.codes].reshape(-1, Z)),
    }
    real = logit(w["discriminator"], X) if "discriminator" in w else None
    if c.alpha:
        ratios = -c.generator(real, logit(w["discriminator"], candidates))
        terms["synthetic_likelihood"] = -c.alpha * c.least(ratios, u[1])
    if c.sample_weight:
        samples = c.decode(w["generator"], draws.normal("prior", (B, Z)))
        terms["sample"] = c.sample_weight * c.generator(real, logit(w["discriminator"], samples))
    if c.code_weight:
        terms["code"] = c.code_weight * c.sleep(w, draws.normal("prior", (B, Z)))
    return terms


def sleep():
    """-log q(z|G(z)) of the encoder; the generator's weights are those of the first call, as it has no gradient."""
    first = {}

    def loss(w, z):
        dreams = first.setdefault("dreams", forward(w["generator"], z))
        mean, s = gaussian(w["encoder"], dreams)
        return (((z - mean) / s) ** 2 / 2 + np.log(s) + np.log(2 * np.pi) / 2).sum(axis=-1)

    return loss


def seen(w, draws, c):
    """Codes for D_I and D_L."""
    return codes(w, draws.normal("posterior", (B, Z), (c.codes,))).reshape(-1, Z)


def discriminator(w, draws, c):
    """Algorithm 1, step 2; with reconstructions of z_1 as well, data is in two pairs."""
    real, samples = logit(w["discriminator"], X), c.decode(w["generator"], draws.normal("prior", (B, Z)))
    terms = {"sample": c.pair(real, logit(w["discriminator"], samples))}
    if c.both:
        reconstructions = c.decode(w["generator"], seen(w, draws, c)).reshape(c.codes, B, -1)
        terms["reconstruction"] = c.pair(real, logit(w["discriminator"], reconstructions))
    return terms


def code_discriminator(w, draws, c):
    """Algorithm 1, step 3: D_L is the probability that a code came from the prior."""
    prior, encoded = (
        probability(w["code_discriminator"], z) for z in (draws.normal("prior", (B, Z)), seen(w, draws, c))
    )
    return {"prior": -np.log(prior), "posterior": -np.log(1 - encoded)}


PHASES = {"autoencoder": autoencoder, "discriminator": discriminator, "code_discriminator": code_discriminator}


# Both sides of D_I's loss, for logits r of data and f of fakes.


def softplus(s):
    return np.log1p(np.exp(s))


def hinge(a, b):
    return {"pair": lambda r, f: np.maximum(0.0, a - r) + np.maximum(0.0, b + f), "generator": lambda r, f: -f}


ENTROPY = {"pair": lambda r, f: softplus(-r) + softplus(f), "generator": lambda r, f: -f}
RELATIVISTIC = {"pair": lambda r, f: softplus(f - r), "generator": lambda r, f: softplus(r - f)}
DEFAULT = {
    "best": REDUCTIONS["max"],
    "least": REDUCTIONS["min"],
    "kl": classifier_kl,
    "both": True,
    "codes": 1,
    "alpha": ALPHA,
    "sample_weight": 1.0,
    "code_weight": 0.0,
    "decode": forward,
    "log_p": lambda x_hat: -abs(X - x_hat).sum(axis=-1),
    **hinge(1, 1),
}
WITHOUT_D_L = {"prior_term": empirical_kl, "code_discriminator": None}


def quarter(one: float):
    """A schedule of a quarter at all times."""
    return lambda updates: tf.constant(one / 4)


# (what the system is built with, what that changes in the equations)
FORMS = {
    "default": ({}, {}),
    "naive": ({"gradient": Naive()}, {}),
    "chunks": ({"gradient": WinnersOnly(chunk=2)}, {}),
    "alpha": ({"T": 3, "gradient": WinnersOnly(chunk=1), "alpha": 2.0}, {"alpha": 2.0}),
    "as printed": ({"sample_weight": 0.0, "fakes": "samples"}, {"sample_weight": 0, "both": False}),
    "weight of samples": ({"sample_weight": 1.7}, {"sample_weight": 1.7}),
    "samples alone": ({"alpha": 0.0}, {"alpha": 0}),
    "mean": ({"synthetic_likelihood": Mean(), "gradient": Naive()}, {"least": REDUCTIONS["mean"]}),
    "lme": (
        {"reconstruction": LogMeanExp(), "synthetic_likelihood": LogMeanExp(), "gradient": Naive()},
        {"best": log_mean_exp, "least": log_mean_exp},
    ),
    "annealed": (
        {"synthetic_likelihood": Annealed(first=Mean(), last=LeastRealistic(), schedule=quarter), "gradient": Naive()},
        {"least": lambda s, u: 0.25 * REDUCTIONS["mean"](s, u) + 0.75 * REDUCTIONS["min"](s, u)},
    ),
    "drawn mean": ({"synthetic_likelihood": Mean()}, {"least": drawn_uniformly}),
    "drawn lme": (
        {"reconstruction": LogMeanExp(), "synthetic_likelihood": LogMeanExp(), "gradient": WinnersOnly(chunk=2)},
        {"best": drawn_by_softmax(), "least": drawn_by_softmax()},
    ),
    "analytic": ({"prior_term": analytic_kl, "code_discriminator": None}, {"kl": gaussian_kl}),
    "empirical": (WITHOUT_D_L, {"kl": moments_kl}),
    "empirical, all codes": ({**WITHOUT_D_L, "all_codes": True}, {"kl": moments_kl, "codes": 4}),
    "sleep": ({"code_weight": 0.4}, {"code_weight": 0.4, "sleep": sleep()}),
    "margins": ({"discriminator_loss": Hinge(a=0.5, b=2.0)}, hinge(0.5, 2.0)),
    "cross-entropy": ({"discriminator_loss": CrossEntropy()}, ENTROPY),
    "samples": ({"fakes": "samples"}, {"both": False}),
    "relativistic": ({"discriminator_loss": RelativisticPairing()}, RELATIVISTIC),
    "relativistic, T = 1": ({"T": 1, "discriminator_loss": RelativisticPairing()}, RELATIVISTIC),
    "relativistic, mean": (
        {"discriminator_loss": RelativisticPairing(), "synthetic_likelihood": Mean(), "gradient": Naive()},
        {**RELATIVISTIC, "least": REDUCTIONS["mean"]},
    ),
    "relativistic, drawn mean": (
        {"discriminator_loss": RelativisticPairing(), "synthetic_likelihood": Mean()},
        {**RELATIVISTIC, "least": drawn_uniformly},
    ),
    "relativistic, all codes": (
        {"discriminator_loss": RelativisticPairing(), "all_codes": True},
        {**RELATIVISTIC, "codes": 4},
    ),
    "Bernoulli": (
        {"visible": Bernoulli, "gradient": WinnersOnly(chunk=2)},
        {"decode": tiny.mean_of_bits, "log_p": tiny.log_p_of_bits},
    ),
    "all codes": ({"all_codes": True}, {"codes": 4}),
    "BMS-VAE": ({"alpha": 0.0, "sample_weight": 0.0, "discriminator": None}, {"alpha": 0, "sample_weight": 0}),
    "joint alpha-GAN": ({"T": 1, "discriminator_loss": CrossEntropy()}, ENTROPY),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_term_and_every_players_gradient(check_step, form):
    options, changed = FORMS[form]
    system = build(**options)
    c = SimpleNamespace(**{**DEFAULT, "T": system.T, **changed})

    def equations(player):
        return lambda w, draws: {player: PHASES[player](w, draws, c)}

    check_step(system, X, {player: equations(player) for player in system.players})


def test_one_sample_and_spectral_normalization_are_alpha_gan_with_it(check_step):
    """alpha-GAN's losses as they are printed (eq. 8 with samples), jointly for encoder and generator."""
    system = build(wrapper=spectral_normalization, T=1, alpha=1.0, beta=1.0)
    vectors = []
    for layer in system.discriminator.layers:
        if hasattr(layer, "u"):
            u, kernel = layer.u.numpy().astype(float), layer.layer.kernel.numpy().astype(float)
            v = u @ kernel.T
            vectors.append((v / np.linalg.norm(v), u))

    def D(w, x):  # W / (v' W u), whose u and v are constants
        first, b, second, c = w["discriminator"]
        (v, u), (v2, u2) = vectors
        return logit([first / (v @ first @ u.T), b, second / (v2 @ second @ u2.T), c], x)

    def data(w, draws):
        mean, stddev = gaussian(w["encoder"], X)
        z_hat, z = mean + stddev * draws.normal("posterior", (B, Z), (1,))[0], draws.normal("prior", (B, Z))
        return z_hat, z, forward(w["generator"], z_hat), forward(w["generator"], z)

    def autoencoder(w, draws):
        z_hat, _, x_hat, x_gen = data(w, draws)
        return {
            "autoencoder": {
                "reconstruction": LAMBDA * abs(X - x_hat).sum(axis=-1),
                "synthetic_likelihood": -D(w, x_hat),
                "sample": -D(w, x_gen),
                "prior": -logit(w["code_discriminator"], z_hat),
            }
        }

    def discriminator(w, draws):
        _, _, x_hat, x_gen = data(w, draws)
        fakes = {"reconstruction": x_hat, "sample": x_gen}
        real = np.maximum(0, 1 - D(w, X))
        return {"discriminator": {name: real + np.maximum(0, 1 + D(w, fake)) for name, fake in fakes.items()}}

    def code_discriminator(w, draws):
        z_hat, z, _, _ = data(w, draws)
        posterior, prior = (probability(w["code_discriminator"], code) for code in (z_hat, z))
        return {"code_discriminator": {"posterior": -np.log(1 - posterior), "prior": -np.log(prior)}}

    equations = {"autoencoder": autoencoder, "discriminator": discriminator, "code_discriminator": code_discriminator}
    check_step(system, X, equations)


@pytest.mark.parametrize(
    ("options", "players", "networks"),
    [
        ({}, ["autoencoder", "discriminator", "code_discriminator"], 4),
        ({"alpha": 0.0}, ["autoencoder", "discriminator", "code_discriminator"], 4),
        # A discriminator that is given is left out.
        ({"alpha": 0.0, "sample_weight": 0.0}, ["autoencoder", "code_discriminator"], 3),
        ({"prior_term": analytic_kl, "code_discriminator": None}, ["autoencoder", "discriminator"], 3),
    ],
)
def test_players(options, players, networks):
    system = build(**options)
    assert list(system.players) == players
    assert len(system.networks) == networks
    assert system.players["autoencoder"] == ("encoder", "generator")


def test_scoring_in_bfloat16_leaves_the_winners_gradient_in_float32():
    # The scores of these candidates lie further apart than bfloat16's three digits, so the same ones win.
    def step(precision):
        system = build(gradient=WinnersOnly(precision=precision))
        with tf.GradientTape() as tape:
            losses, _ = system.phases()[0].losses(tf.constant(X), Key(tf.zeros([2], tf.int64)))
            total = tf.add_n([tf.reduce_sum(loss) for loss in losses["autoencoder"].values()])
        return losses["autoencoder"], tape.gradient(total, system.trainable("autoencoder"))

    (exact, exact_gradients), (rounded, gradients) = step(None), step("bfloat16")
    for term in ("reconstruction", "synthetic_likelihood"):  # what is shown is what was scored
        np.testing.assert_allclose(rounded[term], exact[term], atol=1e-2)
        assert np.abs(rounded[term] - exact[term]).max() > 1e-5
    for gradient, expected in zip(gradients, exact_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_scoring_the_candidates_moves_no_batch_statistics():
    # moving -= (moving - batch) * (1 - momentum): a momentum of 1 leaves the averages as they are.
    system = build(normalization=batch_normalization)
    (layer,) = [layer for layer in every_layer(system.generator) if "batch_normalization" in layer.name]
    passes = []
    original = layer.call
    layer.call = lambda inputs, training=None: (
        passes.append((inputs.shape[0], layer.momentum)) or original(inputs, training=training)
    )
    system.phases()[0].losses(tf.constant(X), Key(tf.zeros([2], tf.int64)))
    # Samples; four candidates of each x at once, frozen; the two terms' winners of each x.
    assert passes == [(B, 0.99), (4 * B, 1.0), (2 * B, 0.99)]


@pytest.mark.parametrize(
    ("options", "coupled"),
    [
        ({}, False),
        ({"prior_term": analytic_kl, "code_discriminator": None}, False),
        ({"prior_term": empirical_kl, "code_discriminator": None}, True),
        ({"prior_term": gin.get_configurable("empirical_kl"), "code_discriminator": None}, True),
        ({"normalization": batch_normalization}, True),
    ],
)
def test_batch_coupled(options, coupled):
    assert build(**options).batch_coupled == coupled


def test_inference():
    # The code of x at zero noise is the posterior's mean.
    system = build()
    w = {name: [v.numpy() for v in network.trainable_variables] for name, network in system.networks.items()}
    mean, stddev = gaussian(w["encoder"], X)
    np.testing.assert_allclose(system.encode(X), mean, rtol=1e-5)
    np.testing.assert_allclose(system.posterior(X).log_stddev, np.log(stddev), rtol=1e-5)
    np.testing.assert_allclose(system.reconstruct(X), forward(w["generator"], mean), rtol=1e-5)
    np.testing.assert_allclose(system.discriminate(X), logit(w["discriminator"], X), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T": 0}, "T is 0; it must be at least 1"),
        ({"lambda_": -1.0}, "lambda_ is -1.0; it must be finite and not negative"),
        ({"alpha": -0.5}, "alpha is -0.5; it must be finite and not negative"),
        ({"beta": float("inf")}, "beta is inf; it must be finite and not negative"),
        ({"sample_weight": float("nan")}, "sample_weight is nan; it must be finite and not negative"),
        ({"fakes": "reconstructions"}, "fakes is 'reconstructions'; allowed are"),
        ({"code_discriminator": None}, "either a code_discriminator or another prior_term, and not both"),
        ({"prior_term": analytic_kl}, "either a code_discriminator or another prior_term, and not both"),
        (
            {"prior_term": monte_carlo_kl, "code_discriminator": None, "all_codes": True},
            "all_codes is True, but the Monte Carlo KL takes one code for each x",
        ),
        ({"discriminator": None}, "alpha is 0.6 and sample_weight 1.0 but there is no discriminator"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
