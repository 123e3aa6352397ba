"""One step of BMS-VAE-GAN in all its forms against the equations, written out here on plain arrays."""

from types import SimpleNamespace

import gin
import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.networks.layers import batch_normalization, spectral_normalization, wrap
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import GaussianEncoder
from bms_tf.objectives.adversarial import CrossEntropy, Hinge
from bms_tf.objectives.best_of_many import LogMeanExp, Mean, naive
from bms_tf.objectives.divergences import analytic_kl, empirical_kl
from bms_tf.systems.bms_vae_gan import BMSVAEGAN

B, D, Z = 5, 3, 2
LAMBDA, ALPHA, BETA = 0.7, 0.6, 1.3
X = np.random.default_rng(1).normal(size=(B, D)).astype(np.float32)


def build(discriminator=True, code_discriminator=True, normalization=None, wrapper=wrap, **options) -> BMSVAEGAN:
    keras.utils.set_random_seed(3)
    shape = {"hidden": (4,), "activation": "tanh", "gain": 2.0, "normalization": normalization}
    return BMSVAEGAN(
        encoder=GaussianEncoder(mlp(input_shape=(D,), output_shape=(2 * Z,), **shape), code_size=Z, data_shape=(D,)),
        generator=mlp(input_shape=(Z,), output_shape=(D,), **shape),
        discriminator=mlp(input_shape=(D,), output_shape=(), wrapper=wrapper, **shape) if discriminator else None,
        code_discriminator=mlp(input_shape=(Z,), output_shape=(), **shape) if code_discriminator else None,
        **{"T": 4, "lambda_": LAMBDA, "alpha": ALPHA, "beta": BETA, **options},
    )


# The equations. `w` maps a network to its weights: of a hidden layer and of a linear one.


def network(weights, inputs):
    first, b, second, c = weights
    return tf.tanh(2.0 * inputs @ first + b) @ second + c


def posterior(w, x):
    mean, log_stddev = tf.split(network(w["encoder"], x), 2, axis=-1)
    return mean, log_stddev


def codes(w, noise):
    """z = mean + stddev * noise, [T, B, Z]."""
    mean, log_stddev = posterior(w, X)
    return mean + tf.exp(log_stddev) * noise


def logit(w, name, inputs):
    return network(w[name], inputs)[..., 0]


REDUCTIONS = {
    "max": lambda s: tf.reduce_max(s, axis=0),
    "min": lambda s: tf.reduce_min(s, axis=0),
    "mean": lambda s: tf.reduce_mean(s, axis=0),
    "lme": lambda s: tf.math.log(tf.reduce_mean(tf.exp(s), axis=0)),
}


def drawn_uniformly(u):
    """The candidate that a uniform u chooses, of T with equal weights: its score, and its gradient."""

    def reduce(s):
        index = np.floor(u * s.shape[0]).astype(int)
        return tf.stack([s[index[b], b] for b in range(B)])

    return reduce


def drawn_by_softmax(u):
    """log mean exp, with the gradient of the one candidate at which the sum of softmax weights passes u."""

    def reduce(s):
        weights = np.exp(s) / np.exp(s).sum(axis=0)
        index = [int(np.searchsorted(np.cumsum(weights[:, b]), u[b], side="right")) for b in range(B)]
        chosen = tf.stack([s[index[b], b] for b in range(B)])
        return chosen + tf.stop_gradient(REDUCTIONS["lme"](s) - chosen)

    return reduce


def classifier_kl(w, z):
    """-log [D_L / (1 - D_L)]."""
    d = tf.sigmoid(logit(w, "code_discriminator", z))
    return -tf.math.log(d / (1 - d))


def gaussian_kl(w, z):
    """KL[N(m, s^2) || N(0, 1)] summed over dimensions."""
    mean, log_stddev = posterior(w, X)
    s = tf.exp(log_stddev)
    return tf.reduce_sum((s**2 + mean**2 - 1) / 2 - tf.math.log(s), axis=-1)


def moments_kl(w, z):
    """The same with the moments of all codes, averaged over dimensions."""
    m, s = tf.reduce_mean(z, axis=0), tf.math.reduce_std(z, axis=0)
    return tf.reduce_mean((s**2 + m**2 - 1) / 2 - tf.math.log(s))


def autoencoder_terms(w, draw, c):
    """-L = -beta max_i log p(x|z_i) - alpha S + KL, and our -alpha log D_I of samples."""
    z = codes(w, draw.posterior)
    candidates = network(w["generator"], z)
    seen = tf.reshape(z[: c.codes], [-1, Z])
    terms = {
        "reconstruction": -BETA * c.best(-LAMBDA * tf.reduce_sum(tf.abs(X - candidates), axis=-1)),
        "prior": c.kl(w, seen),
    }
    if c.alpha:
        terms["synthetic_likelihood"] = -c.alpha * c.least(logit(w, "discriminator", candidates))
        terms["sample"] = -c.alpha * logit(w, "discriminator", network(w["generator"], draw.prior))
    return terms


def discriminator_terms(w, draw, c):
    """Algorithm 1, step 2; with reconstructions of z_1 as well, data weighs 2."""
    real, sample = logit(w, "discriminator", X), logit(w, "discriminator", network(w["generator"], draw.prior))
    terms = {"real": c.real(real), "sample": c.fake(sample)}
    if c.both:
        seen = tf.reshape(codes(w, draw.posterior)[: c.codes], [-1, Z])
        terms["real"] *= 2
        terms["reconstruction"] = c.fake(logit(w, "discriminator", network(w["generator"], seen)))
    return terms


def code_discriminator_terms(w, draw, c):
    """Algorithm 1, step 3: D_L is the probability that a code came from the prior."""
    seen = tf.reshape(codes(w, draw.posterior)[: c.codes], [-1, Z])
    prior, encoded = (tf.sigmoid(logit(w, "code_discriminator", z)) for z in (draw.prior, seen))
    return {"prior": -tf.math.log(prior), "posterior": -tf.math.log(1 - encoded)}


PLAYERS = {
    "autoencoder": (autoencoder_terms, ("encoder", "generator")),
    "discriminator": (discriminator_terms, ("discriminator",)),
    "code_discriminator": (code_discriminator_terms, ("code_discriminator",)),
}


def hinge(a, b):
    return {"real": lambda s: tf.maximum(0.0, a - s), "fake": lambda s: tf.maximum(0.0, b + s)}


ENTROPY = {"real": lambda s: -tf.math.log(tf.sigmoid(s)), "fake": lambda s: -tf.math.log(1 - tf.sigmoid(s))}
DEFAULT = {"best": "max", "least": "min", "kl": classifier_kl, "both": True, "codes": 1, "alpha": ALPHA, **hinge(1, 1)}

# (what the system is built with, what that changes in the equations)
FORMS = {
    "default": ({}, {}),
    "naive": ({"gradient": naive}, {}),
    "chunks": ({"chunk": 2}, {}),
    "alpha": ({"T": 3, "chunk": 1, "alpha": 2.0}, {"alpha": 2.0}),
    "mean": ({"synthetic_likelihood": Mean(), "gradient": naive}, {"least": "mean"}),
    "lme": (
        {"reconstruction": LogMeanExp(), "synthetic_likelihood": LogMeanExp(), "gradient": naive},
        {"best": "lme", "least": "lme"},
    ),
    "drawn mean": ({"synthetic_likelihood": Mean()}, {"least": drawn_uniformly}),
    "drawn lme": (
        {"reconstruction": LogMeanExp(), "synthetic_likelihood": LogMeanExp(), "chunk": 2},
        {"best": drawn_by_softmax, "least": drawn_by_softmax},
    ),
    "analytic": ({"prior_term": analytic_kl, "code_discriminator": False}, {"kl": gaussian_kl}),
    "empirical": ({"prior_term": empirical_kl, "code_discriminator": False}, {"kl": moments_kl}),
    "empirical, all codes": (
        {"prior_term": empirical_kl, "code_discriminator": False, "all_codes": True},
        {"kl": moments_kl, "codes": 4},
    ),
    "margins": ({"discriminator_loss": Hinge(a=0.5, b=2.0)}, hinge(0.5, 2.0)),
    "cross-entropy": ({"discriminator_loss": CrossEntropy()}, ENTROPY),
    "samples": ({"fakes": "samples"}, {"both": False}),
    "all codes": ({"all_codes": True}, {"codes": 4}),
    "BMS-VAE": ({"alpha": 0.0, "discriminator": False}, {"alpha": 0.0}),
    "alpha-GAN + SN": ({"T": 1}, {}),
    "joint alpha-GAN": ({"T": 1, "discriminator_loss": CrossEntropy()}, ENTROPY),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_term_and_every_players_gradient(form):
    options, equations = FORMS[form]
    system = build(**options)
    c = SimpleNamespace(**{**DEFAULT, **equations})
    w = {name: [tf.constant(v.numpy()) for v in net.trainable_variables] for name, net in system.networks.items()}
    phases = system.phases()
    assert [phase.name for phase in phases] == list(system.players)
    for index, phase in enumerate(phases):
        key = Key(tf.constant([index, 7], tf.int64))
        draws = system.T if phase.name == "autoencoder" else c.codes
        draw = SimpleNamespace(
            prior=key.normal("prior", (B, Z)), posterior=key.normal("posterior", (B, Z), draws=(draws,))
        )
        for term, u in zip(("best", "least"), key.uniform("choice", (B,), draws=(2 if c.alpha else 1,)).numpy()):
            reduction = equations.get(term, DEFAULT[term])
            setattr(c, term, REDUCTIONS[reduction] if isinstance(reduction, str) else reduction(u))

        with tf.GradientTape() as tape:
            losses, aux = phase.losses(tf.constant(X), key)
            means = {term: tf.reduce_mean(values) for term, values in losses[phase.name].items()}
            total = sum(means.values())
        gradients = tape.gradient(total, system.trainable(phase.name))

        terms, names = PLAYERS[phase.name]
        own = [weight for name in names for weight in w[name]]
        with tf.GradientTape() as tape:
            tape.watch(own)
            expected = {term: tf.reduce_mean(values) for term, values in terms(w, draw, c).items()}
            total = sum(expected.values())
        assert list(losses) == [phase.name] and aux == {}
        assert {t: float(v) for t, v in means.items()} == pytest.approx(
            {t: float(v) for t, v in expected.items()}, rel=1e-4
        )
        # Far from 0, so that a wrong sign is seen.
        assert min(abs(float(value)) for value in expected.values()) > 0.01
        for gradient, e in zip(gradients, tape.gradient(total, own)):
            np.testing.assert_allclose(gradient, e, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "players", "networks"),
    [
        ({}, ["autoencoder", "discriminator", "code_discriminator"], 4),
        ({"alpha": 0.0}, ["autoencoder", "code_discriminator"], 3),  # a discriminator that is given is left out
        ({"prior_term": analytic_kl, "code_discriminator": False}, ["autoencoder", "discriminator"], 3),
    ],
)
def test_players(options, players, networks):
    system = build(**options)
    assert list(system.players) == players
    assert len(system.networks) == networks
    assert system.players["autoencoder"] == ("encoder", "generator")


def test_power_iteration_is_the_hook_of_the_discriminators_phase():
    system = build(wrapper=spectral_normalization)
    layers = [layer for layer in system.discriminator.layers if hasattr(layer, "u")]
    assert len(layers) == 2
    for layer in layers:
        layer.u.assign(2 * tf.ones_like(layer.u))
    _, phase, _ = system.phases()
    for other in system.phases():
        other.losses(tf.constant(X), Key(tf.zeros([2], tf.int64)))
        assert other.name == "discriminator" or other.before is None
    # No loss has moved u; the hook makes its length 1.
    assert [float(tf.reduce_min(layer.u)) for layer in layers] == [2, 2]
    phase.before()
    assert [float(tf.norm(layer.u)) for layer in layers] == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("options", "coupled"),
    [
        ({}, False),
        ({"prior_term": analytic_kl, "code_discriminator": False}, False),
        ({"prior_term": empirical_kl, "code_discriminator": False}, True),
        ({"prior_term": gin.get_configurable("empirical_kl"), "code_discriminator": False}, True),
        ({"normalization": batch_normalization}, True),
    ],
)
def test_batch_coupled(options, coupled):
    assert build(**options).batch_coupled == coupled


def test_inference():
    # The code of x at zero noise is the posterior's mean.
    system = build()
    w = {name: [v.numpy() for v in network.trainable_variables] for name, network in system.networks.items()}
    mean, log_stddev = posterior(w, X)
    np.testing.assert_allclose(system.encode(X), mean, rtol=1e-5)
    np.testing.assert_allclose(system.posterior(X).log_stddev, log_stddev, rtol=1e-5)
    np.testing.assert_allclose(system.reconstruct(X), network(w["generator"], mean), rtol=1e-5)
    np.testing.assert_allclose(system.discriminate(X), logit(w, "discriminator", X), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T": 0}, "T is 0; it must be at least 1"),
        ({"chunk": 3}, "chunk is 3; it must divide T = 4"),
        ({"chunk": 0}, "chunk is 0; it must divide T = 4"),
        ({"lambda_": -1.0}, "lambda_ is -1.0; it must not be negative"),
        ({"alpha": -0.5}, "alpha is -0.5; it must not be negative"),
        ({"beta": -2.0}, "beta is -2.0; it must not be negative"),
        ({"fakes": "reconstructions"}, "fakes is 'reconstructions'; allowed are"),
        ({"code_discriminator": False}, "either a code_discriminator or another prior_term, and not both"),
        ({"prior_term": analytic_kl}, "either a code_discriminator or another prior_term, and not both"),
        ({"discriminator": False}, "alpha is 0.6 but there is no discriminator"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
