"""WGAN-GP's step against equation 3; the critic's slope is the length of v everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.systems.wgan_gp import WGANGP

PAPER = {"lambda_": 10.0, "critic_updates": 5}


def test_every_term_and_gradient(pair, check_step):
    def critic(w, draws):
        slope = np.linalg.norm(w["discriminator"][0])
        real, sample = pair.d(w, pair.x), pair.d(w, pair.g(w, draws))
        return {"discriminator": {"real": -real, "sample": sample, "gradient_penalty": 10 * (slope - 1) ** 2}}

    def generator(w, draws):
        return {"generator": {"sample": -pair.d(w, pair.g(w, draws))}}

    check_step(WGANGP(**pair.networks, **PAPER), pair.x, {"discriminator": critic, "generator": generator})


def test_the_penalty_is_taken_between_data_and_samples(linear):
    # The critic -max(0, x_1) has the slope 1 to the right of 0 and 0 to the left. All data are at 1 and all samples at
    # -1, so that the point between is to the right for an epsilon above 1/2: there the penalty is 0, elsewhere 1.
    layers = [linear([[1.0], [0.0]], [0.0]), keras.layers.ReLU(), linear([[-1.0]], [0.0], logits=True)]
    critic = keras.Sequential([keras.Input((2,)), *layers])
    system = WGANGP(generator=linear([[0.0, 0.0]], [-1.0, 0.0]), discriminator=critic, **PAPER)
    key = Key(tf.constant([5, 7], tf.int64))
    losses = system.phases()[0].losses(tf.ones([8, 2]), key)[0]["discriminator"]
    epsilon = key.uniform("interpolation", (8,)).numpy()
    assert 0 < (epsilon > 0.5).sum() < 8
    np.testing.assert_allclose(losses["gradient_penalty"], np.where(epsilon > 0.5, 0, 10), atol=1e-4)


def test_five_updates_of_the_critic_for_one_of_the_generator(pair):
    assert {phase.name: phase.repeats for phase in WGANGP(**pair.networks, **PAPER).phases()} == {
        "discriminator": 5,
        "generator": 1,
    }


def test_with_batch_normalization_an_example_has_no_slope_of_its_own(pair):
    layers = [keras.Input((2,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    with pytest.raises(ValueError, match="WGANGP penalizes the slope .* its discriminator must have no batch norm"):
        WGANGP(**pair.networks | {"discriminator": keras.Sequential(layers)}, **PAPER)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_": 0.0}, "lambda_ is 0.0; it must be positive"),
        ({"critic_updates": 0}, "critic_updates is 0; it must be at least 1"),
    ],
)
def test_values_out_of_range(pair, options, message):
    with pytest.raises(ValueError, match=message):
        WGANGP(**pair.networks, **{**PAPER, **options})
