"""The reductions by hand, and the winners-only gradient against the naive one."""

import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.functional import frozen_statistics
from bms_tf.core.keras import keras
from bms_tf.objectives.best_of_many import Annealed, BestOfMany, LeastRealistic, LogMeanExp, Mean, Naive, WinnersOnly

T, B, Z, D = 6, 4, 3, 2


class Model:
    """An encoder's scale, a generator and a discriminator, as plain variables."""

    def __init__(self):
        rng = np.random.default_rng(0)
        shapes = [(B, Z), (Z, 5), (5, D), (D, 5), (5, 1)]
        self.variables = [tf.Variable(rng.normal(size=shape), dtype=tf.float32) for shape in shapes]
        self.noise = tf.constant(rng.normal(size=(T, B, Z)), tf.float32)
        self.x = tf.constant(rng.normal(size=(B, D)), tf.float32)

    def decode(self, noise):
        scale, first, second, _, _ = self.variables
        return tf.tanh((noise * scale) @ first) @ second

    def likelihood(self, candidates):
        return -tf.reduce_sum(tf.abs(self.x - candidates), axis=-1)

    def logit(self, candidates):
        _, _, _, first, second = self.variables
        return tf.squeeze(tf.tanh(candidates @ first) @ second, axis=-1)

    def values_and_gradients(self, estimator, terms, weights=None, uniform=None):
        """All terms' values, and the gradients of their sum, each example weighted by `weights`."""
        uniform = tf.zeros([len(terms), B]) if uniform is None else uniform
        with tf.GradientTape() as tape:
            values = estimator(self.decode, self.noise, uniform, terms)
            total = tf.reduce_sum(tf.stack(values) * (1.0 if weights is None else weights))
        return values, tape.gradient(total, self.variables, unconnected_gradients="zero")


def assert_close(actual, expected, tolerance=1e-5):
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


SCORES = tf.constant([[math.log(1.0), -1.0], [math.log(3.0), -5.0]])


@pytest.mark.parametrize(
    ("reduction", "value"),
    [
        (BestOfMany(), [math.log(3), -1]),
        (LeastRealistic(), [0, -5]),
        (Mean(), [math.log(3) / 2, -3]),
        # log((1 + 3) / 2), log((e^-1 + e^-5) / 2).
        (LogMeanExp(), [math.log(2), math.log((math.exp(-1) + math.exp(-5)) / 2)]),
        # 2 log((1 + sqrt 3) / 2); -log((1 + 1 / 3) / 2), the harmonic mean of 1 and 3.
        (LogMeanExp(2.0), [2 * math.log((1 + math.sqrt(3)) / 2), 2 * math.log((math.exp(-0.5) + math.exp(-2.5)) / 2)]),
        (LogMeanExp(-1.0), [math.log(1.5), -math.log((math.e + math.exp(5)) / 2)]),
    ],
)
def test_reductions(reduction, value):
    for moment in (0, 10**6):
        np.testing.assert_allclose(reduction.at(tf.constant(moment)).reduce(SCORES), value, rtol=1e-6)


def of_tenths(one: float):
    """w = 1, .9, .8 .. 0 after 0, 1, 2 .. 10 updates."""
    return lambda updates: one - tf.cast(updates, tf.float32) / 10


def test_the_mean_becomes_the_min():
    annealed = Annealed(first=Mean(), last=LeastRealistic(), schedule=of_tenths)
    mean, least = np.array([math.log(3) / 2, -3]), np.array([0, -5])
    for updates, weight in ((0, 1.0), (3, 0.7), (10, 0.0)):
        now = annealed.at(tf.constant(updates))
        np.testing.assert_allclose(now.reduce(SCORES), weight * mean + (1 - weight) * least, rtol=1e-6)
    # Of [0, 1) the first .35 choose candidate 0 and the next .35 candidate 1, by the mean; the rest the least one.
    now = annealed.at(tf.constant(3))
    for uniform, chosen in ((0.34, [0, 0]), (0.36, [1, 1]), (0.69, [1, 1]), (0.71, [0, 1]), (1 - 2**-24, [0, 1])):
        np.testing.assert_array_equal(now.choose(SCORES, tf.fill([2], uniform)), chosen)
    for updates, chosen in ((0, [1, 1]), (10, [0, 1])):  # w is 1 and 0
        np.testing.assert_array_equal(annealed.at(tf.constant(updates)).choose(SCORES, tf.fill([2], 0.9)), chosen)


@pytest.mark.parametrize(
    ("reduction", "uniform", "chosen"),
    [
        (BestOfMany(), [0.0, 0.9], [1, 0]),
        (LeastRealistic(), [0.9, 0.0], [0, 1]),
        (Mean(), [0.49, 0.51], [0, 1]),
        (Mean(), [0.0, 1 - 2**-24], [0, 1]),
        # The weights are 1/4 and 3/4; and e^4 / (e^4 + 1) = 0.982 and the rest.
        (LogMeanExp(), [0.249, 0.981], [0, 0]),
        (LogMeanExp(), [0.251, 0.983], [1, 1]),
        (LogMeanExp(), [0.0, 1 - 2**-24], [0, 1]),
        # The weights are 1 and 1/3 over 4/3; and 1 and e^4 over e^4 + 1.
        (LogMeanExp(-1.0), [0.749, 0.017], [0, 0]),
        (LogMeanExp(-1.0), [0.751, 0.019], [1, 1]),
    ],
)
def test_choices(reduction, uniform, chosen):
    np.testing.assert_array_equal(reduction.choose(SCORES, tf.constant(uniform)), chosen)


@pytest.mark.parametrize("chunk", [None, 1, 2, T])
def test_the_winners_gradient_is_the_naive_one(chunk):
    model = Model()
    for terms in (
        [(model.likelihood, BestOfMany())],
        [(model.logit, LeastRealistic())],
        [(model.likelihood, BestOfMany()), (model.logit, LeastRealistic()), (model.logit, BestOfMany())],
    ):
        expected = model.values_and_gradients(Naive(), terms)
        actual = model.values_and_gradients(WinnersOnly(chunk=chunk), terms)
        assert_close(actual[0], expected[0])
        assert_close(actual[1], expected[1])
        assert max(np.abs(g).max() for g in expected[1]) > 0.1


def test_the_winners_gradient_under_xla():
    model = Model()
    terms = [(model.likelihood, BestOfMany()), (model.logit, LeastRealistic())]
    compiled = tf.function(lambda: model.values_and_gradients(WinnersOnly(chunk=2), terms), jit_compile=True)
    for actual, expected in zip(compiled(), model.values_and_gradients(Naive(), terms)):
        assert_close(actual, expected)


def test_one_drawn_candidate_is_unbiased_for_the_mean():
    # Each of the T choices has the weight 1 / T. A uniform of (t + 1/2) / T chooses candidate t.
    model = Model()
    terms = [(model.likelihood, Mean()), (model.logit, Mean())]
    values, gradients = [], []
    for t in range(T):
        value, gradient = model.values_and_gradients(WinnersOnly(), terms, uniform=tf.fill([2, B], (t + 0.5) / T))
        values.append(value)
        gradients.append(gradient)
    expected = model.values_and_gradients(Naive(), terms)
    # The value shown is the drawn candidate's: no candidate is scored.
    assert_close(np.mean(values, axis=0), expected[0])
    assert_close([sum(parts) / T for parts in zip(*gradients)], expected[1])
    assert np.abs(gradients[0][1] - expected[1][1]).max() > 0.1


def test_the_log_mean_exp_becomes_the_max_the_mean_and_the_min():
    # t log mean exp(s / t) lies within |t| log 2 of the max or min of two scores, and within 4^2 / (8 |t|) = 2e-3 of
    # their mean where they differ by 4.
    for reduction, limit, room in (
        (LogMeanExp(1e-3), BestOfMany(), 1e-3),
        (LogMeanExp(-1e-3), LeastRealistic(), 1e-3),
        (LogMeanExp(1e3), Mean(), 2.5e-3),
        (LogMeanExp(-1e3), Mean(), 2.5e-3),
    ):
        np.testing.assert_allclose(reduction.reduce(SCORES), limit.reduce(SCORES), atol=room)


@pytest.mark.parametrize("temperature", [0.0, math.inf, -math.inf, math.nan])
def test_a_temperature_that_is_none(temperature):
    with pytest.raises(ValueError) as caught:
        LogMeanExp(temperature)
    assert str(caught.value) == f"LogMeanExp.temperature is {temperature}; it must be finite and not 0"


@pytest.mark.parametrize(("chunk", "temperature"), [(None, 1.0), (2, 1.0), (None, -0.5)])
def test_one_drawn_candidate_is_unbiased_for_the_log_mean_exp(chunk, temperature):
    # Choice t of example b has the weight softmax(s / t)[t, b]; the middle of its part of [0, 1) chooses it.
    model = Model()
    candidates = model.decode(model.noise)
    scores = np.stack([model.likelihood(candidates), model.logit(candidates)], axis=1).astype(float)  # [T, 2, B]
    weights = np.exp(scores / temperature) / np.exp(scores / temperature).sum(axis=0)
    middle = np.cumsum(weights, axis=0) - weights / 2
    terms = [(model.likelihood, LogMeanExp(temperature)), (model.logit, LogMeanExp(temperature))]
    expected = model.values_and_gradients(Naive(), terms)
    gradients = []
    for t in range(T):
        w, u = (tf.constant(array[t], tf.float32) for array in (weights, middle))
        values, gradient = model.values_and_gradients(WinnersOnly(chunk=chunk), terms, weights=w, uniform=u)
        assert_close(values, expected[0])
        gradients.append(gradient)
    assert_close([sum(parts) for parts in zip(*gradients)], expected[1])


def test_one_candidate_needs_no_choice():
    model = Model()
    model.noise = model.noise[:1]
    terms = [(model.likelihood, BestOfMany()), (model.logit, Mean())]
    for actual, expected in zip(
        model.values_and_gradients(WinnersOnly(), terms), model.values_and_gradients(Naive(), terms)
    ):
        assert_close(actual, expected, 0)


def test_a_chunk_must_divide_the_samples():
    model = Model()
    with pytest.raises(ValueError, match="chunk is 4; it must divide the 6 samples"):
        model.values_and_gradients(WinnersOnly(chunk=4), [(model.likelihood, BestOfMany())])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk": 0}, "chunk is 0; it must be at least 1"),
        ({"precision": "float16"}, "precision is 'float16'; allowed"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        WinnersOnly(**options)


class Recording(BestOfMany):
    """Keeps the scores it was given."""

    def reduce(self, scores):
        self.scores = scores.numpy()
        return super().reduce(scores)


def test_with_batch_normalization_each_candidate_is_scored_by_the_statistics_of_its_own_batch():
    model = Model()
    layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    layer.build([None, D])

    def decode(noise):
        outputs = layer(tf.reshape(model.decode(noise), [-1, D]), training=True)
        return tf.reshape(outputs, [*noise.shape[:2], D])

    recording = Recording()
    with tf.GradientTape() as tape:
        terms = [(model.likelihood, recording)]
        scoring = lambda precision: frozen_statistics(layer)  # noqa: E731
        values = WinnersOnly(chunk=1)(decode, model.noise, tf.zeros([1, B]), terms, scoring)
    gradient = tape.gradient(values, model.variables[:3])

    # Batch normalization by hand: each candidate's B outputs to mean 0 and variance 1.
    outputs = model.decode(model.noise).numpy()
    mean, variance = outputs.mean(axis=1, keepdims=True), outputs.var(axis=1, keepdims=True)
    scores = -np.abs(model.x - (outputs - mean) / np.sqrt(variance + 1e-3)).sum(axis=-1)
    np.testing.assert_allclose(recording.scores, scores, rtol=1e-4, atol=1e-5)
    assert_close(values, [scores.max(axis=0)], 1e-4)
    # Only the pass over the winners moved the averages, from 0 by a tenth of the way.
    winners = outputs[scores.argmax(axis=0), np.arange(B)]
    np.testing.assert_allclose(layer.moving_mean, 0.1 * winners.mean(axis=0), rtol=1e-4, atol=1e-6)

    # The naive gradient takes the statistics of all T * B outputs. The two differ by 1.23 of its norm here.
    with tf.GradientTape() as tape:
        values = Naive()(decode, model.noise, tf.zeros([1, B]), [(model.likelihood, BestOfMany())])
    expected = tape.gradient(values, model.variables[:3])
    flat, expected = (np.concatenate([np.ravel(g) for g in gradients]) for gradients in (gradient, expected))
    assert np.linalg.norm(flat - expected) / np.linalg.norm(expected) == pytest.approx(1.23, rel=0.05)
