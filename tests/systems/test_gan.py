"""The steps of GAN, SN-GAN and R3GAN against their equations, and SN-GAN's updates of D and of its singular vectors."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.networks.layers import SpectralNormalization
from bms_tf.objectives.adversarial import Hinge, NonSaturating, RelativisticPairing
from bms_tf.systems.gan import GAN


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


# The loss of D and that of G, of the logits of data and of samples.
EQUATIONS = {
    NonSaturating: (lambda r, f: -np.log(sigmoid(r)) - np.log(1 - sigmoid(f)), lambda r, f: -np.log(sigmoid(f))),
    Hinge: (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda r, f: -f),
    RelativisticPairing: (lambda r, f: -np.log(sigmoid(r - f)), lambda r, f: -np.log(sigmoid(f - r))),
}


@pytest.mark.parametrize("loss", EQUATIONS)
def test_every_term_and_gradient(pair, check_step, loss):
    def side(player, equation):
        return lambda w, draws: {player: {"sample": equation(pair.d(w, pair.x), pair.d(w, pair.g(w, draws)))}}

    players = ("discriminator", "generator")
    equations = {player: side(player, equation) for player, equation in zip(players, EQUATIONS[loss])}
    check_step(GAN(**pair.networks, discriminator_loss=loss()), pair.x, equations)


def test_the_default_is_goodfellows(pair):
    assert isinstance(GAN(**pair.networks).discriminator_loss, NonSaturating)


def test_each_update_of_a_player_refines_its_singular_vectors(pair):
    counts = {}

    def counting(name, size):
        layer, counts[name] = SpectralNormalization(keras.layers.Dense(size)), tf.Variable(0)
        layer.power_iteration = lambda: counts[name].assign_add(1)
        return keras.Sequential([keras.Input((2,)), layer, *([keras.layers.Reshape(())] if size == 1 else [])])

    system = GAN(
        generator=counting("generator", 2), discriminator=counting("discriminator", 1), discriminator_updates=5
    )
    system.compile({player: keras.optimizers.Adam(0.1) for player in system.players})
    system.fit(tf.data.Dataset.from_tensors(tf.ones([20, 2])).repeat(3), verbose=0)  # five batches of 4 a step
    assert {name: int(count) for name, count in counts.items()} == {"discriminator": 15, "generator": 3}


def test_values_out_of_range(pair):
    with pytest.raises(ValueError, match="discriminator_updates is 0; it must be at least 1"):
        GAN(**pair.networks, discriminator_updates=0)
