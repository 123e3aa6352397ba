"""The gradient penalty as a modifier, on a system whose discriminator is 3 x + 4 y: its slope is 5 everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Phase, System
from bms_tf.modifiers.gradient_penalty import gradient_penalty

X = tf.constant([[1.0, 0.5], [-0.6, 2.0], [0.0, 1.0]])


class Game(System):
    """Generator and discriminator pull D's logits apart, in one phase or in two."""

    def __init__(self, second="discriminator"):
        networks = {"generator": keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])}
        networks[second] = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        super().__init__(networks=networks, players={name: (name,) for name in networks})
        networks[second].set_weights([np.array([[3.0], [4.0]])])

    def phases(self):
        return [Phase("both", self._both), Phase("generator", self._generator)]

    def _both(self, x, key):
        return {"generator": {"up": -self.discriminator(x)}, "discriminator": {"down": self.discriminator(x)}}, {"a": 1}

    def _generator(self, x, key):
        return {"generator": {"up": tf.zeros([3])}}, {}


KEY = Key(tf.constant([5, 7], tf.int64))


def test_the_term_is_added_where_the_discriminator_acts_and_nothing_else_changes():
    game = Game()
    both, generator = (gradient_penalty(game, phase, weight=10.0) for phase in game.phases())
    assert (both.name, generator.name) == ("both", "generator")
    with tf.GradientTape() as tape:
        losses, aux = both.losses(X, KEY)
        total = tf.reduce_mean(losses["discriminator"]["gradient_penalty"])
    assert list(losses) == ["generator", "discriminator"] and aux == {"a": 1}
    assert list(losses["generator"]) == ["up"] and list(losses["discriminator"]) == ["down", "gradient_penalty"]
    # 10 (5 - 1)^2 for each example, and its gradient 10 * 2 (5 - 1) (3, 4) / 5.
    np.testing.assert_allclose(losses["discriminator"]["gradient_penalty"], [160, 160, 160], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(total, game.trainable("discriminator"))[0], [[48], [64]], rtol=1e-5)
    assert list(generator.losses(X, KEY)[0]["generator"]) == ["up"]
    assert list(generator.losses(X, KEY)[0]) == ["generator"]


def test_it_moves_no_batch_statistics():
    class Normalized(Game):
        def __init__(self):
            super().__init__()
            layers = [keras.Input((2,)), keras.layers.BatchNormalization(momentum=0.9), keras.layers.Dense(2)]
            self.generator = self.networks["generator"] = keras.Sequential(layers)

    game = Normalized()
    gradient_penalty(game, game.phases()[0], weight=10.0).losses(X, KEY)  # the phase itself samples as in inference
    assert game.generator.layers[0].moving_mean.numpy().tolist() == [0, 0]


def test_with_batch_normalization_an_example_has_no_slope_of_its_own():
    game = Game()
    layers = [keras.Input((2,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    game.discriminator = game.networks["discriminator"] = keras.Sequential(layers)
    with pytest.raises(
        ValueError, match="needs a discriminator of single examples of data, without batch normalization"
    ):
        gradient_penalty(game, game.phases()[0], weight=10.0)


@pytest.mark.slow
def test_compile_plays_the_modified_phases():
    game = Game()
    descent = {player: keras.optimizers.SGD(0.001) for player in game.players}
    game.compile(descent, modifiers=[lambda s, phase: gradient_penalty(s, phase, weight=10.0)])
    logs = game.fit(tf.data.Dataset.from_tensors(X), verbose=0).history
    assert logs["discriminator/gradient_penalty"] == pytest.approx([160], rel=1e-5)
    # "down" has the gradient (mean x, mean y) = (0.4 / 3, 3.5 / 3).
    moved = [3 - 0.001 * (48 + 0.4 / 3), 4 - 0.001 * (64 + 3.5 / 3)]
    np.testing.assert_allclose(game.discriminator.get_weights()[0][:, 0], moved, rtol=1e-6)


@pytest.mark.parametrize(
    ("second", "weight", "message"),
    [
        ("critic", 1.0, r"needs a discriminator of single examples of data, .*; Game has \['critic', 'generator'\]"),
        ("discriminator", 0.0, "weight is 0.0; it must be positive"),
    ],
)
def test_what_it_does_not_fit(second, weight, message):
    game = Game(second)
    with pytest.raises(ValueError, match=message):
        gradient_penalty(game, game.phases()[0], weight=weight)
