"""alpha-GAN's losses and gradients against equations 11 to 17, written out here on plain arrays."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.networks.layers import spectral_normalization, wrap
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import GaussianEncoder
from bms_tf.systems.alpha_gan import AlphaGAN

B, D, Z = 5, 3, 2
X = tf.constant(np.random.default_rng(1).normal(size=(B, D)), tf.float32)


def build(wrapper=wrap, **options) -> AlphaGAN:
    keras.utils.set_random_seed(3)
    shape = {"hidden": (4,), "activation": "tanh", "gain": 2.0}
    return AlphaGAN(
        encoder=GaussianEncoder(mlp(input_shape=(D,), output_shape=(2 * Z,), **shape), code_size=Z, data_shape=(D,)),
        generator=mlp(input_shape=(Z,), output_shape=(D,), **shape),
        discriminator=mlp(input_shape=(D,), output_shape=(), wrapper=wrapper, **shape),
        code_discriminator=mlp(input_shape=(Z,), output_shape=(), **shape),
        **{"encoder_lambda": 0.7, "generator_lambda": 1.9, **options},
    )


def network(weights, inputs):
    first, b, second, c = weights
    return tf.tanh(2.0 * inputs @ first + b) @ second + c


def equations(player, w, posterior_noise, prior_noise):
    """The terms of one player; D and C are probabilities, R(d) = -log d + log(1 - d)."""
    mean, log_stddev = tf.split(network(w["encoder"], X), 2, axis=-1)
    z_hat, z = mean + tf.exp(log_stddev) * posterior_noise, prior_noise
    x_hat, x_gen = network(w["generator"], z_hat), network(w["generator"], z)
    l1 = tf.reduce_sum(tf.abs(X - x_hat), axis=-1)

    def d(x):
        return tf.sigmoid(network(w["discriminator"], x)[:, 0])

    def c(z):
        return tf.sigmoid(network(w["code_discriminator"], z)[:, 0])

    def ratio(d):
        return -tf.math.log(d) + tf.math.log(1 - d)

    return {
        "encoder": {"reconstruction": 0.7 * l1, "prior": ratio(c(z_hat))},  # eq. 11
        "generator": {  # eq. 13
            "reconstruction": 1.9 * l1,
            "adversarial_reconstruction": ratio(d(x_hat)),
            "sample": ratio(d(x_gen)),
        },
        "discriminator": {  # eq. 14
            "real": -2 * tf.math.log(d(X)),
            "reconstruction": -tf.math.log(1 - d(x_hat)),
            "sample": -tf.math.log(1 - d(x_gen)),
        },
        "code_discriminator": {"posterior": -tf.math.log(1 - c(z_hat)), "prior": -tf.math.log(c(z))},  # eq. 17
    }[player]


@pytest.mark.parametrize("player", ["encoder", "generator", "discriminator", "code_discriminator"])
def test_every_term_and_gradient(player):
    system = build()
    phase = next(phase for phase in system.phases() if phase.name == player)
    key = Key(tf.constant([5, 7], tf.int64))
    noise = [key.normal(name, (B, Z)) for name in ("posterior", "prior")]
    w = {name: [tf.constant(v.numpy()) for v in net.trainable_variables] for name, net in system.networks.items()}
    with tf.GradientTape() as tape:
        losses, aux = phase.losses(X, key)
        means = {term: tf.reduce_mean(values) for term, values in losses[player].items()}
        total = sum(means.values())
    gradients = tape.gradient(total, system.trainable(player))
    with tf.GradientTape() as tape:
        tape.watch(w[player])
        expected = {term: tf.reduce_mean(values) for term, values in equations(player, w, *noise).items()}
        total = sum(expected.values())
    assert list(losses) == [player] and aux == {}
    assert {t: float(v) for t, v in means.items()} == pytest.approx(
        {t: float(v) for t, v in expected.items()}, rel=1e-4
    )
    # Far from 0, so that a wrong sign is seen.
    assert min(abs(float(value)) for value in expected.values()) > 0.01
    for gradient, e in zip(gradients, tape.gradient(total, w[player])):
        np.testing.assert_allclose(gradient, e, rtol=1e-4, atol=1e-5)


def test_two_updates_of_encoder_and_generator_for_one_of_each_discriminator():
    repeats = {phase.name: phase.repeats for phase in build().phases()}
    assert repeats == {"encoder": 2, "generator": 2, "discriminator": 1, "code_discriminator": 1}
    assert [phase.repeats for phase in build(autoencoder_updates=1).phases()] == [1, 1, 1, 1]
    # Every network is a player of its own, so that D's gradient cannot reach the encoder.
    assert build().players == {name: (name,) for name in repeats}


def test_power_iteration_is_the_hook_of_the_discriminators_phase():
    system = build(wrapper=spectral_normalization)
    layers = [layer for layer in system.discriminator.layers if hasattr(layer, "u")]
    for layer in layers:
        layer.u.assign(2 * tf.ones_like(layer.u))
    hooks = {phase.name: phase.before for phase in system.phases() if phase.before is not None}
    assert list(hooks) == ["discriminator"]
    hooks["discriminator"]()
    assert [float(tf.norm(layer.u)) for layer in layers] == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_lambda": -1.0}, "encoder_lambda is -1.0; it must not be negative"),
        ({"generator_lambda": -0.5}, "generator_lambda is -0.5; it must not be negative"),
        ({"autoencoder_updates": 0}, "autoencoder_updates is 0; it must be at least 1"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
