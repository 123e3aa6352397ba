"""One step of WAE-GAN and WAE-MMD against algorithms 1 and 2, and what the penalty is for codes like the prior's."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.random import Key
from bms_tf.networks import roles
from bms_tf.networks.posteriors import DeterministicEncoder
from bms_tf.objectives import visible
from bms_tf.objectives.divergences import mmd
from bms_tf.systems.aae import AAE
from bms_tf.systems.wae import WAE
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, probability

LAMBDA = 1.7


def build(gan: bool, **options) -> WAE:
    made = {"encoder": roles.deterministic_encoder, "generator": roles.generator}
    if gan:
        made["code_discriminator"] = roles.code_discriminator
    return WAE(**tiny.networks(**made), **{"lambda_": LAMBDA, "penalty": None if gan else mmd, **options})


def cost(w):
    return ((X - forward(w["generator"], forward(w["encoder"], X))) ** 2).sum(axis=-1)


@pytest.mark.parametrize(("options", "weight"), [({}, LAMBDA), ({"code_weight": 0.6}, 0.6)])
def test_a_step_of_wae_gan(check_step, options, weight):
    def code_discriminator(w, draws):
        prior = probability(w["code_discriminator"], draws.normal("prior", (B, Z)))
        posterior = probability(w["code_discriminator"], forward(w["encoder"], X))
        terms = {"prior": -weight * np.log(prior), "posterior": -weight * np.log(1 - posterior)}
        return {"code_discriminator": terms}

    def autoencoder(w, draws):
        penalty = -LAMBDA * np.log(probability(w["code_discriminator"], forward(w["encoder"], X)))
        return {"autoencoder": {"cost": cost(w), "penalty": penalty}}

    phases = {"code_discriminator": code_discriminator, "autoencoder": autoencoder}
    check_step(build(gan=True, **options), X, phases)


def test_a_step_of_wae_mmd(check_step):
    def kernel(a, b):
        return sum(s * 2 * Z / (s * 2 * Z + np.sum((a - b) ** 2)) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    def autoencoder(w, draws):
        codes, prior = forward(w["encoder"], X), draws.normal("prior", (B, Z))
        pairs = [(i, j) for i in range(B) for j in range(B)]
        within = sum(kernel(a[i], a[j]) for a in (codes, prior) for i, j in pairs if i != j) / (B * (B - 1))
        across = sum(kernel(codes[i], prior[j]) for i, j in pairs) / B**2
        return {"autoencoder": {"cost": cost(w), "penalty": LAMBDA * (within - 2 * across)}}

    system = build(gan=False)
    assert system.batch_coupled and not build(gan=True).batch_coupled
    check_step(system, X, {"autoencoder": autoencoder})


def test_wae_gans_penalty_is_zero_on_identical_codes(linear):
    # The encoder is the identity and x the prior's draws, so that both sets of codes are the same. Twice the
    # Jensen-Shannon divergence is the most that E log C(z) + E log(1 - C(z_hat)) + log 4 can be: 0, at C = 1/2, from
    # where no change of C gains anything.
    eye = np.eye(Z)
    system = WAE(
        encoder=DeterministicEncoder(linear(eye, [0, 0]), code_size=Z, data_shape=(Z,)),
        generator=linear(eye, [0, 0]),
        code_discriminator=linear([[0.0], [0.0]], [0.0], logits=True),
        lambda_=1.0,
    )
    key = Key(np.array([0, 7]))
    with tf.GradientTape() as tape:
        losses, _ = system.phases()[0].losses(key.normal("prior", (B, Z)), key)
        loss = tf.add_n([tf.reduce_mean(term) for term in losses["code_discriminator"].values()])
    assert float(loss) == pytest.approx(np.log(4))
    for gradient in tape.gradient(loss, system.trainable("code_discriminator")):
        np.testing.assert_allclose(gradient, 0, atol=1e-7)


def test_aae_with_the_squared_error_is_wae_gan():
    # -log N(x; x_hat, s^2) is ||x - x_hat||^2 / 2 s^2 and a constant: AAE's two updates of the encoder, and the one of
    # the generator, have 1 / 2 s^2 of the gradient of WAE-GAN with lambda = 2 s^2.
    scale = 0.7
    wae = build(gan=True, lambda_=2 * scale**2)
    wae.generator.visible = visible.Gaussian((X.shape[1],), scale=scale)
    aae = AAE(encoder=wae.encoder, generator=wae.generator, code_discriminator=wae.code_discriminator)
    key = Key(np.array([0, 7]))

    def gradient(phases, player, network):
        """Of all of the player's terms in the phases."""
        with tf.GradientTape() as tape:
            losses = [phase.losses(tf.constant(X), key)[0].get(player, {}) for phase in phases]
            total = tf.add_n([tf.reduce_mean(term) for terms in losses for term in terms.values()])
        return tape.gradient(total, network.trainable_variables)

    _, joint = wae.phases()
    reconstruction, _, regularization = aae.phases()
    for name in ("encoder", "generator"):
        expected = gradient([joint], "autoencoder", wae.networks[name])
        for ours, theirs in zip(gradient([reconstruction, regularization], name, aae.networks[name]), expected):
            np.testing.assert_allclose(2 * scale**2 * ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_": -1.0}, "WAE.lambda_ is -1.0; it must not be negative"),
        ({"code_weight": 0.0}, "WAE.code_weight is 0.0; it must be positive, or None for lambda_"),
        ({"penalty": None}, "either a code_discriminator or a penalty, and not both"),
    ],
)
def test_values_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(gan=False, **options)
