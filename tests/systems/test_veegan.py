"""One step of VEEGAN, VEEGAN+DAE and Rosca et al.'s VEEGAN against algorithm 1, and the pretraining."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.networks import roles
from bms_tf.objectives.likelihoods import log_laplace
from bms_tf.systems.veegan import VEEGAN
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, logit


def build(encoder=roles.deterministic_encoder, **options) -> VEEGAN:
    networks = tiny.networks(encoder=encoder, generator=roles.generator, joint_discriminator=roles.joint_discriminator)
    return VEEGAN(**networks, **{"code_lambda": 0.7, "data_lambda": 0.0, "pretraining": 3, **options})


def squared(difference):
    return (difference**2).sum(axis=-1)


def absolute(difference):
    return abs(difference).sum(axis=-1)


def equations(reconstructions, stddev=0.0):
    """`reconstructions(w, z)`: the terms that F and G share; `stddev`: of p(z|x)."""

    def game(w, draws):
        z = draws.normal("prior", (B, Z))
        z_hat = forward(w["encoder"], X) + stddev * draws.normal("posterior", (B, Z))
        # The paper's D_omega(z, x) is log q(x|z) p(z) / p(z|x) p(x): high for the model, ours for the data.
        paper_model = -logit(w["joint_discriminator"], forward(w["generator"], z), z)
        paper_data = -logit(w["joint_discriminator"], X, z_hat)
        sigmoid = lambda d: 1 / (1 + np.exp(-d))  # noqa: E731
        return {
            "encoder": reconstructions(w, z),  # line 8
            "generator": {"adversarial": paper_model, **reconstructions(w, z)},  # line 10
            "joint_discriminator": {  # line 6, eq. 6
                "model": -np.log(sigmoid(paper_model)),
                "data": -np.log(1 - sigmoid(paper_data)),
            },
        }

    def pretraining(w, draws):
        return {"encoder": reconstructions(w, draws.normal("prior", (B, Z)))}

    return {"pretraining": pretraining, "game": game}


def codes(norm):
    return lambda w, z: {"code_reconstruction": 0.7 * norm(z - forward(w["encoder"], forward(w["generator"], z)))}


def data(w, z):
    return {"data_reconstruction": 1.9 * squared(X - forward(w["generator"], forward(w["encoder"], X)))}


@pytest.mark.parametrize(
    ("options", "reconstructions"),
    [
        ({}, codes(squared)),
        ({"code_likelihood": log_laplace}, codes(absolute)),
        ({"code_lambda": 0.0, "data_lambda": 1.9}, data),
        ({"data_lambda": 1.9}, lambda w, z: {**codes(squared)(w, z), **data(w, z)}),
    ],
    ids=["VEEGAN", "l1", "DAE", "both"],
)
def test_a_step(check_step, options, reconstructions):
    check_step(build(**options), X, equations(reconstructions))


def test_the_discriminator_sees_draws_and_the_reconstructions_do_not(check_step):
    # p(z|x) = N(F(x), 1) in D's pairs alone: of F(x) there, with more codes than data dimensions, D would tell all.
    system = build(encoder=roles.unit_gaussian_encoder, data_lambda=1.9)
    check_step(system, X, equations(lambda w, z: {**codes(squared)(w, z), **data(w, z)}, stddev=1.0))


def test_f_is_trained_alone_at_first():
    # Three steps in which nothing but F moves, then steps in which all three do.
    system = build(pretraining=3)
    system.compile({player: keras.optimizers.SGD(0.01) for player in system.players})
    moved = []
    for steps in (3, 1):
        before = {name: [v.numpy() for v in network.trainable_variables] for name, network in system.networks.items()}
        system.fit(tf.data.Dataset.from_tensors(X).repeat(), steps_per_epoch=steps, verbose=0)
        moved.append(
            {
                name
                for name in before
                if any(np.any(v != o) for v, o in zip(system.networks[name].trainable_variables, before[name]))
            }
        )
    assert moved == [{"encoder"}, {"encoder", "generator", "joint_discriminator"}]


def test_without_pretraining_the_game_begins_at_once():
    assert [(phase.name, phase.start) for phase in build(pretraining=0).phases()] == [("game", 0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"code_lambda": -1.0}, "code_lambda is -1.0; it must not be negative"),
        ({"data_lambda": -0.5}, "data_lambda is -0.5; it must not be negative"),
        ({"pretraining": -1}, "pretraining is -1; it must not be negative"),
        ({"code_lambda": 0.0}, "code_lambda and data_lambda are 0; one must be positive"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
