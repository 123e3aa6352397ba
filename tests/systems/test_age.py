"""One step of AGE against its game, and the sphere on which it is played."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core import config, training  # noqa: F401, which registers `train`
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.networks import roles
from bms_tf.systems.age import AGE
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward


def build(**options) -> AGE:
    networks = tiny.networks(encoder=roles.spherical_encoder, generator=roles.generator)
    return AGE(**networks, **{"data_weight": 1.9, "code_weight": 0.7, **options})


def to_sphere(z):
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def delta(codes):
    """KL[N(m, s^2) || N(0, 1)] of the fitted normal, averaged over the dimensions."""
    m, s = codes.mean(axis=0), codes.std(axis=0)
    return np.mean((s**2 + m**2 - 1) / 2 - np.log(s))


def encode(w, x):
    return to_sphere(forward(w["encoder"], x))


def test_a_step(check_step):
    def encoder(w, draws):
        x_gen = forward(w["generator"], to_sphere(draws.normal("prior", (B, Z))))
        x_hat = forward(w["generator"], encode(w, X))
        terms = {
            "data": delta(encode(w, X)),
            "sample": -delta(encode(w, x_gen)),
            "reconstruction": 1.9 * np.abs(X - x_hat).sum(axis=-1),
        }
        return {"encoder": terms}

    def generator(w, draws):
        z = to_sphere(draws.normal("prior", (B, Z)))
        codes = encode(w, forward(w["generator"], z))
        cosine = np.sum(z * codes, axis=-1)
        return {"generator": {"sample": delta(codes), "code": 0.7 * (1 - cosine)}}

    check_step(build(), X, {"encoder": encoder, "generator": generator})


def test_the_weight_of_codes_is_the_authors():
    # Their code has 1000 * (2 - mean over batch and dimensions of z e(G(z))), for codes of 64 and 128 dimensions. For
    # 100 that moves with the codes as 10 * (1 - cos) does.
    config.load(["gin/ring.gin", "gin/systems/age.gin"], ["code_size = 100", "encoder/mlp.hidden = (4,)"])
    keras.utils.set_random_seed(3)
    system = AGE(seed=0)
    key = Key(tf.constant([1, 7], tf.int64))
    with tf.GradientTape(persistent=True) as tape:
        losses, _ = system.phases()[1].losses(tf.zeros([B, 2]), key)
        ours = tf.reduce_mean(losses["generator"]["code"])
        z = system.prior_codes(tf.zeros([B, 2]), key)
        theirs = 1000 * (2 - tf.reduce_mean(z * system.encoder.posterior(system.decode(z)).mean))
    for variable in system.generator.trainable_variables:
        np.testing.assert_allclose(tape.gradient(ours, variable), tape.gradient(theirs, variable), rtol=1e-3, atol=1e-5)
    assert np.any(tape.gradient(ours, system.generator.trainable_variables[0]))


def test_prior_and_codes_lie_on_the_sphere():
    system = build()
    for codes in (system.sample_prior(tf.range(4, dtype=tf.int64)), system.encode(X)):
        np.testing.assert_allclose(np.linalg.norm(codes, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        system.sample(tf.range(4, dtype=tf.int64)), system.generate(system.sample_prior(tf.range(4, dtype=tf.int64)))
    )


def test_phases():
    assert {phase.name: phase.repeats for phase in build().phases()} == {"encoder": 1, "generator": 2}
    assert [phase.repeats for phase in build(generator_updates=3).phases()] == [1, 3]
    assert build().batch_coupled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_weight": -1.0}, "AGE.data_weight is -1.0; it must not be negative"),
        ({"code_weight": -0.5}, "AGE.code_weight is -0.5; it must not be negative"),
        ({"generator_updates": 0}, "AGE.generator_updates is 0; it must be at least 1"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
