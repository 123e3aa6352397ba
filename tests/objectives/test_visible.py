"""Visible distributions against scipy in double precision; each is a distribution, and its draws are its quantiles."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bms_tf.core.keras import keras
from bms_tf.objectives import visible
from bms_tf.objectives.visible import L1, Bernoulli, Categorical, Gaussian, Laplace, QuantizedNormal

LEVELS = np.arange(256) / 127.5 - 1  # what 8-bit pixels are in [-1, 1]


def logistic(logit):
    return 1 / (1 + np.exp(-logit))


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def quantized(k, m, s):
    """The mass of N(m, s^2) that is nearest to level k, the first and last level having the tails."""
    upper = np.where(k == 255, np.inf, (k + 0.5) / 127.5 - 1)
    lower = np.where(k == 0, -np.inf, (k - 0.5) / 127.5 - 1)
    return stats.norm.cdf(upper, m, s) - stats.norm.cdf(lower, m, s)


# (distribution, values in its support [B, 3], log probability of one value from its numbers [..., numbers])
CASES = {
    "Bernoulli": (
        Bernoulli,
        np.random.default_rng(0).choice([-1.0, 1.0], size=(4, 3)),
        lambda x, n: stats.bernoulli.logpmf((x + 1) / 2, logistic(n[..., 0])),
    ),
    "Gaussian": (
        Gaussian,
        np.random.default_rng(0).uniform(-1, 1, size=(4, 3)),
        lambda x, n: stats.norm.logpdf(x, n[..., 0], np.exp(n[..., 1])),
    ),
    "Laplace": (
        Laplace,
        np.random.default_rng(0).uniform(-1, 1, size=(4, 3)),
        lambda x, n: stats.laplace.logpdf(x, n[..., 0], np.exp(n[..., 1])),
    ),
    "QuantizedNormal": (
        QuantizedNormal,
        LEVELS[np.random.default_rng(0).integers(256, size=(4, 3))],
        lambda x, n: np.log(quantized(np.round(127.5 * (x + 1)), n[..., 0], np.exp(n[..., 1]))),
    ),
    "Categorical": (
        Categorical,
        LEVELS[np.random.default_rng(0).integers(256, size=(4, 3))],
        lambda x, n: np.log(
            np.take_along_axis(softmax(n), np.round(127.5 * (x + 1)).astype(int)[..., None], axis=-1)[..., 0]
        ),
    ),
}


def numbers_of(distribution, shape):
    """Random numbers [*shape, numbers], log scales near -1, and the generator's output that holds them."""
    rng = np.random.default_rng(1)  # of this call: which tests ran before shall not matter
    numbers = rng.normal(size=(*shape, distribution.numbers)).astype(np.float32)
    if distribution.numbers == 2:
        numbers[..., 1] = 0.3 * numbers[..., 1] - 1
    return numbers, tf.constant(numbers.reshape(*shape[:-1], -1))


@pytest.mark.parametrize("name", CASES)
def test_log_prob(name):
    kind, x, log_prob = CASES[name]
    distribution = kind((3,))
    numbers, output = numbers_of(distribution, (4, 3))
    assert distribution.output_shape == output.shape[1:]
    expected = log_prob(x, numbers.astype(np.float64)).sum(axis=-1)
    actual = tf.function(distribution.log_prob, jit_compile=True)(tf.constant(x, tf.float32), output)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_candidates_lie_along_leading_axes(name):
    # Two candidates for each of four images of 2 x 2 x 1: the same as each alone.
    kind, x, _ = CASES[name]
    x = tf.constant(np.resize(x, (4, 2, 2, 1)), tf.float32)
    distribution = kind((2, 2, 1))
    _, output = numbers_of(distribution, (2, 4, 2, 2, 1))
    both = distribution.log_prob(x, output)
    np.testing.assert_allclose(both, [distribution.log_prob(x, one) for one in output], rtol=1e-5)
    np.testing.assert_allclose(distribution.mean(output), [distribution.mean(one) for one in output], rtol=1e-5)
    assert both.shape == (2, 4) and distribution.mean(output).shape == (2, 4, 2, 2, 1)


@pytest.mark.parametrize(
    ("name", "support"), [("Bernoulli", [-1.0, 1.0]), ("QuantizedNormal", LEVELS), ("Categorical", LEVELS)]
)
def test_probabilities_of_all_values_sum_to_one(name, support):
    # One output for the whole support.
    distribution = CASES[name][0]((1,))
    _, output = numbers_of(distribution, (1, 1))
    log_probs = distribution.log_prob(
        tf.constant(support, tf.float32)[:, None], tf.repeat(output, len(support), axis=0)
    )
    assert float(tf.reduce_sum(tf.exp(log_probs))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_densities_integrate_to_one(kind):
    # A sum over steps of 0.01, from 15 scales below the location to 15 above: location 0.3, scale 1/2.
    x = np.arange(-7.5, 7.5, 0.01) + 0.3
    output = tf.repeat(tf.constant([[0.3, math.log(0.5)]]), len(x), axis=0)
    density = tf.exp(kind((1,)).log_prob(tf.constant(x, tf.float32)[:, None], output))
    assert 0.01 * float(tf.reduce_sum(density)) == pytest.approx(1, abs=1e-4)


def test_a_value_between_levels_counts_as_the_nearest():
    x = tf.constant([[0.0], [0.001], [-1.2], [1.2]])  # levels 128 (127.5 is rounded to even), 128, 0 and 255
    for distribution in (QuantizedNormal((1,)), Categorical((1,))):
        _, output = numbers_of(distribution, (1, 1))
        output = tf.repeat(output, 4, axis=0)
        nearest = tf.constant(LEVELS[[128, 128, 0, 255]], tf.float32)[:, None]
        np.testing.assert_allclose(distribution.log_prob(x, output), distribution.log_prob(nearest, output))


def test_far_levels_keep_their_gradient():
    # A deviation of 1/20 level, 254.5 levels away: about -(254.5 * 20)^2 / 2, with a positive slope in m.
    output = tf.Variable([[-1.0, math.log(1 / 127.5 / 20)]])
    with tf.GradientTape() as tape:
        log_prob = QuantizedNormal((1,)).log_prob(tf.constant([[1.0]]), output)
    assert float(log_prob[0]) == pytest.approx(-((254.5 * 20) ** 2) / 2, rel=1e-3)
    gradient = tape.gradient(log_prob, output)
    assert np.all(np.isfinite(gradient)) and gradient[0, 0] > 0


def test_means():
    assert Bernoulli((1,)).mean(tf.constant([[math.log(3)]])).numpy().item() == pytest.approx(0.5)  # 2 * 3/4 - 1
    for kind in (Gaussian, Laplace, QuantizedNormal):
        assert kind((1,)).mean(tf.constant([[1.7, -1.0]])).numpy().item() == pytest.approx(1.7)
        # The location of an image goes through tanh.
        image = kind((1, 1, 1)).mean(tf.constant([[[[1.7, -1.0]]]]))
        assert image.numpy().item() == pytest.approx(math.tanh(1.7))
    # Nearly all mass halfway on levels 0 and 51: -1 and 51 / 127.5 - 1 = -0.6.
    logits = np.full(256, -50, np.float32)
    logits[[0, 51]] = 0
    assert Categorical((1,)).mean(tf.constant(logits[None])).numpy().item() == pytest.approx(-0.8)


NOISE = np.array([-2.5, -0.7, 0.01, 0.3, 1.9], np.float32)


def drawn(distribution, numbers):
    """Draws of one value for all of NOISE."""
    output = tf.repeat(tf.constant([numbers], tf.float32), len(NOISE), axis=0)
    return distribution.sample(output, tf.constant(NOISE)[:, None]).numpy()[:, 0]


def test_draws_are_the_quantiles_of_the_noise():
    u = stats.norm.cdf(NOISE)
    np.testing.assert_allclose(drawn(Gaussian((1,)), [0.3, -1]), stats.norm.ppf(u, 0.3, math.exp(-1)), rtol=1e-5)
    np.testing.assert_allclose(drawn(Laplace((1,)), [0.3, -1]), stats.laplace.ppf(u, 0.3, math.exp(-1)), rtol=1e-4)
    np.testing.assert_array_equal(drawn(Bernoulli((1,)), [0.4]), np.where(u < logistic(0.4), 1, -1))
    # The first level up to which there is more mass than u.
    numbers = np.random.default_rng(0).normal(size=256)
    expected = LEVELS[np.searchsorted(np.cumsum(softmax(numbers)), u, side="right")]
    np.testing.assert_allclose(drawn(Categorical((1,)), numbers), expected, rtol=1e-5)
    expected = LEVELS[np.searchsorted(np.cumsum(quantized(np.arange(256), 0.3, math.exp(-1))), u, side="right")]
    np.testing.assert_allclose(drawn(QuantizedNormal((1,)), [0.3, -1]), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [Gaussian, Laplace, QuantizedNormal])
def test_a_fixed_scale_needs_no_number(kind):
    learned, fixed = kind((2,)), kind((2,), scale=0.5)
    assert (learned.output_shape, fixed.output_shape) == ((4,), (2,))
    x = tf.constant([[0.1, -0.9]])
    log_s = math.log(0.5)
    expected = learned.log_prob(x, tf.constant([[0.3, log_s, 0.7, log_s]]))
    np.testing.assert_allclose(fixed.log_prob(x, tf.constant([[0.3, 0.7]])), expected, rtol=1e-6)
    with pytest.raises(ValueError, match=f"{kind.__name__}.scale is 0; it must be positive, or None"):
        kind((2,), scale=0)


def test_l1_is_what_a_generator_without_a_distribution_has():
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    distribution = visible.of(generator)
    assert isinstance(distribution, L1) and distribution.data_shape == distribution.output_shape == (2,)
    x, output = tf.constant([[1.0, 2.0]]), tf.constant([[0.0, 4.0]])
    assert distribution.log_prob(x, output).numpy() == [-3]  # |1 - 0| + |2 - 4|
    assert distribution.mean(output) is output
    assert not hasattr(distribution, "sample")
    generator.visible = Gaussian((2,))
    assert visible.of(generator) is generator.visible
