"""A term whose weight falls on a line, in a game of known losses."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.system import Phase, System
from bms_tf.modifiers.scheduled_term import scheduled_term

X = tf.constant([[1.0], [3.0]])


class Fit(System):
    """Two players with two terms each: the generator w x has (w x)^2 and x, and D the same."""

    def __init__(self):
        dense = {name: keras.layers.Dense(1, use_bias=False) for name in ("generator", "discriminator")}
        super().__init__(networks={name: keras.Sequential([keras.Input((1,)), d]) for name, d in dense.items()})
        for layer in dense.values():
            layer.set_weights([np.array([[2.0]])])

    def phases(self):
        return [Phase(name, lambda x, key, name=name: (self.square_and_plain(name, x), {})) for name in self.players]

    def square_and_plain(self, name, x):
        return {name: {"square": self.networks[name](x)[:, 0] ** 2, "plain": x[:, 0]}}


def line(rate):
    """From `rate` to 0 on a line over 4 updates."""
    return keras.optimizers.schedules.PolynomialDecay(rate, 4, end_learning_rate=0.0)


def trained(rate, **options):
    game = Fit()
    modifiers = [lambda s, phase: scheduled_term(s, phase, term="generator/square", schedule=line)]
    game.compile({player: keras.optimizers.SGD(rate) for player in game.players}, modifiers=modifiers, **options)
    logs = game.fit(tf.data.Dataset.from_tensors(X).repeat(3), epochs=3, steps_per_epoch=1, verbose=0).history
    return logs, float(game.generator.get_weights()[0][0, 0])


def test_one_term_of_one_player_falls():
    logs, _ = trained(rate=0.0)
    # The mean of (2 x)^2 is (4 + 36) / 2 = 20; the weights are 1, 3/4, 1/2.
    assert logs["generator/square"] == pytest.approx([20, 15, 10])
    assert logs["generator/plain"] == pytest.approx([2, 2, 2])
    assert logs["discriminator/square"] == pytest.approx([20, 20, 20])


@pytest.mark.parametrize("options", [{}, {"jit_compile": True}, {"accumulate": 2}])
def test_its_gradient_falls_with_it(options):
    # d/dw of the mean of (w x)^2 is 10 w, and so w is multiplied by 1 - .01 * 10, then 1 - .01 * 7.5 and 1 - .01 * 5.
    assert trained(rate=0.01, **options)[1] == pytest.approx(2 * 0.9 * 0.925 * 0.95, rel=1e-6)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("critic/square", "scheduled_term.term is 'critic/square'; the players are generator, discriminator"),
        ("generator/cube", "scheduled_term.term is 'generator/cube'; in phase generator there are square, plain"),
    ],
)
def test_a_term_that_is_not_there(term, message):
    game = Fit()
    with pytest.raises(ValueError, match=message):
        scheduled_term(game, game.phases()[0], term=term, schedule=line).losses(X, None)
