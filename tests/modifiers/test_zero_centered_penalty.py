"""R1 and R2 as a modifier, on a discriminator whose slope is known: D(x) = w . x^2 has the gradient 2 w x."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core import devices
from bms_tf.core.keras import keras
from bms_tf.core.precision import computing_in
from bms_tf.core.random import Key
from bms_tf.core.system import Phase, System
from bms_tf.modifiers.zero_centered_penalty import zero_centered_penalty

X = tf.constant([[1.0, 0.5], [-0.6, 2.0]])
W = np.array([3.0, -4.0])
KEY = Key(tf.constant([5, 7], tf.int64))


class Game(System):
    """D(x) = w . x^2; fakes are x + 1, which depend on x, and where there are two kinds 2 x."""

    def __init__(self, kinds=2, with_features=False, normalization=None):
        networks = {"generator": keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])}
        layers = [keras.layers.Lambda(tf.square), *([normalization] if normalization else [])]
        dense = keras.layers.Dense(1, use_bias=False)
        networks["discriminator"] = keras.Sequential([keras.Input((2,)), *layers, dense, keras.layers.Reshape(())])
        super().__init__(networks=networks)
        dense.set_weights([W[:, None]])
        self.kinds, self.with_features = kinds, with_features

    def phases(self):
        return [Phase("discriminator", self._discriminator), Phase("generator", self._generator)]

    def _discriminator(self, x, key):
        made_of = (lambda x: x + 1, lambda x: 2 * x)[: self.kinds]
        if self.with_features:  # one by one: x is judged before there are fakes of it
            real, _ = self.discriminate_with_features(x, training=True)
            logits = [self.discriminate_with_features(make(x), training=True)[0] for make in made_of]
        else:
            real, *logits = self.judge(x, *(make(x) for make in made_of))
        return {"discriminator": {"loss": sum(logits) - real}}, {"a": 1}

    def _generator(self, x, key):
        return {"generator": {"up": -self.sample_logits(x, key)}}, {}


def slopes(x):
    """|grad D|^2 = 4 sum w^2 x^2 of each example."""
    return 4 * (np.asarray(x) ** 2 @ W**2)


def modified(game, r1=0.3, r2=0.5, **options):
    return [zero_centered_penalty(game, phase, r1=r1, r2=r2, **options) for phase in game.phases()]


@pytest.mark.parametrize("with_features", [False, True])
@pytest.mark.parametrize("kinds", [1, 2])
def test_both_terms_and_their_gradient(kinds, with_features):
    game = Game(kinds, with_features)
    discriminator, generator = modified(game)
    with tf.GradientTape() as tape:
        losses, aux = discriminator.losses(X, KEY)
        terms = losses["discriminator"]
        total = tf.reduce_mean(terms["r1"]) + terms["r2"]
    # r1 / 2 for each kind of fakes; r2 / 2 at each kind, summed.
    fakes = [X + 1, 2 * X][:kinds]
    np.testing.assert_allclose(terms["r1"], 0.15 * kinds * slopes(X), rtol=1e-5)
    np.testing.assert_allclose(terms["r2"], 0.25 * sum(slopes(fake).mean() for fake in fakes), rtol=1e-5)
    # d/dw_j of 4 sum w^2 x^2 is 8 w_j x_j^2.
    by_hand = 8 * W * (0.15 * kinds * np.mean(X**2, axis=0) + 0.25 * sum(np.mean(f**2, axis=0) for f in fakes))
    np.testing.assert_allclose(tape.gradient(total, game.trainable("discriminator"))[0][:, 0], by_hand, rtol=1e-5)
    # Nothing else has changed.
    expected, expected_aux = game.phases()[0].losses(X, KEY)
    np.testing.assert_allclose(terms["loss"], expected["discriminator"]["loss"], rtol=1e-6)
    assert list(terms) == ["loss", "r1", "r2"] and aux == expected_aux
    assert list(generator.losses(X, KEY)[0]["generator"]) == ["up"]


def test_a_weight_of_zero_leaves_its_term_out():
    assert list(modified(Game(), r2=0.0)[0].losses(X, KEY)[0]["discriminator"]) == ["loss", "r1"]
    assert list(modified(Game(), r1=0.0)[0].losses(X, KEY)[0]["discriminator"]) == ["loss", "r2"]


def trained(strategy=None, precision="float32", steps=3, **options):
    """The terms in the last of some steps on X, and D's weights behind it."""
    batches = X.numpy()[None].repeat(steps, axis=0)
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope(), computing_in(precision):
        game = Game()
        rates = {player: keras.optimizers.SGD(1e-3) for player in game.players}
        game.compile(rates, modifiers=[lambda s, phase: zero_centered_penalty(s, phase, r1=0.3, r2=0.5)], **options)
    if strategy.num_replicas_in_sync > 1:
        data = strategy.distribute_datasets_from_function(
            lambda context: tf.data.Dataset.from_tensor_slices(batches.reshape(-1, 1, 2)), devices.fetching()
        )
    else:
        data = tf.data.Dataset.from_tensor_slices(batches)
    logs = game.fit(data, steps_per_epoch=1, epochs=steps, verbose=0).history
    return [logs["discriminator/r1"][-1], logs["discriminator/r2"][-1], *np.ravel(game.discriminator.get_weights())]


@pytest.mark.slow
def test_it_is_the_same_under_xla_in_slices_and_on_two_devices():
    expected = trained()
    two = devices._mirrored(tuple(device.name for device in tf.config.list_logical_devices("CPU")))
    assert two.num_replicas_in_sync == 2
    for other in (trained(jit_compile=True), trained(accumulate=2), trained(two)):
        assert other == pytest.approx(expected, rel=1e-5)
    # Three digits of bfloat16 in D; the penalty itself is float32.
    assert trained(precision="bfloat16") == pytest.approx(expected, rel=2e-2)


def test_a_schedule_counts_generator_updates():
    # From 1 to 0 on a line over 8 updates: .75 at the third step, when two updates have been made.
    linear = lambda rate: keras.optimizers.schedules.PolynomialDecay(rate, 8, end_learning_rate=0.0)  # noqa: E731
    game = Game()
    modifier = lambda s, phase: zero_centered_penalty(s, phase, r1=0.3, r2=0.5, schedule=linear)  # noqa: E731
    game.compile({player: keras.optimizers.SGD(0.0) for player in game.players}, modifiers=[modifier])
    logs = game.fit(tf.data.Dataset.from_tensors(X).repeat(3), epochs=3, steps_per_epoch=1, verbose=0).history
    first = 0.3 * slopes(X).mean()  # two kinds of fakes
    assert logs["discriminator/r1"] == pytest.approx([first, first * 7 / 8, first * 6 / 8], rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r1": -1.0}, "r1 is -1.0; it must be finite and not negative"),
        ({"r2": float("inf")}, "r2 is inf; it must be finite and not negative"),
        ({"r1": float("nan")}, "r1 is nan; it must be finite and not negative"),
        ({"r1": 0.0, "r2": 0.0}, "r1 and r2 are 0; one must be positive"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        modified(Game(), **options)


def test_what_it_does_not_fit():
    with pytest.raises(ValueError, match="of single examples of data, without batch normalization; Game has"):
        modified(Game(normalization=keras.layers.BatchNormalization()))

    class Critic(System):
        def __init__(self):
            network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
            super().__init__(networks={"generator": network})

    with pytest.raises(ValueError, match=r"Critic has \['generator'\]"):
        zero_centered_penalty(Critic(), Phase("p", lambda x, key: ({}, {})), r1=1.0, r2=1.0)

    class Unjudging(Game):
        def _discriminator(self, x, key):
            return {"discriminator": {"loss": self.discriminator(x)}}, {}

    with pytest.raises(ValueError, match="Unjudging's phase discriminator judges x 0 times; it must do so once"):
        modified(Unjudging())[0].losses(X, KEY)
