"""What an encoder knows, on a model in which it is known: G(z) = (sign z_1, 0), and centers at (-1, 0) and (1, 0)."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from bms_tf.metrics.encoder_scores import encoder_scores

CENTERS = np.array([[-1.0, 0.0], [1.0, 0.0]])
X = np.random.default_rng(0).choice([-1.0, 1.0], 1000)[:, None] * [[1.0, 0.0]]


def model(mean, log_stddev, sign=tf.sign):
    """An encoder whose codes of two numbers have the mean (mean x_1, 0) and one log standard deviation."""

    def posterior(x):
        means = tf.stack([mean * x[:, 0], 0 * x[:, 0]], axis=1)
        return means, tf.fill(means.shape, float(log_stddev))

    return SimpleNamespace(generate=lambda z: tf.stack([sign(z[:, 0]), 0 * z[:, 0]], axis=1), posterior=posterior)


def test_an_encoder_that_names_the_mode():
    # KL[N(2, s^2) || N(0, 1)] + KL[N(0, s^2) || N(0, 1)] with s = 1/10: 4 / 2 + 2 (s^2 - 1) / 2 - 2 log s.
    scores = encoder_scores(model(2.0, np.log(0.1)), X, seed=0, centers=CENTERS)
    expected = {"same_mode_percent": 100, "missed_mode_percent": 0, "posterior_kl": 2 + 0.01 - 1 + 2 * np.log(10)}
    assert scores == pytest.approx(expected)


def test_an_encoder_that_names_it_sometimes():
    # z_1 ~ N(0.5 x, 1) has the sign of x with the probability Phi(0.5) = .69; ten draws all miss with .31^10 = 8e-6.
    # KL: 0.5^2 / 2. 10,000 draws have a standard deviation of .5 %.
    scores = encoder_scores(model(0.5, 0.0), X, seed=0, centers=CENTERS)
    assert scores["same_mode_percent"] == pytest.approx(100 * norm.cdf(0.5), abs=2)
    assert scores["missed_mode_percent"] == pytest.approx(0, abs=0.2)
    assert scores["posterior_kl"] == pytest.approx(0.125)


def test_a_prior_in_the_place_of_a_posterior():
    # Half of the draws hit; ten miss with 2^-10, of 1,000 points one is expected.
    scores = encoder_scores(model(0.0, 0.0), X, seed=0, centers=CENTERS)
    assert scores["same_mode_percent"] == pytest.approx(50, abs=2)
    assert scores["missed_mode_percent"] <= 0.5
    assert scores["posterior_kl"] == 0


def test_samples_that_are_not_finite_name_no_mode_but_one():
    scores = encoder_scores(model(2.0, np.log(0.1), lambda z: z * np.nan), X, seed=0, centers=CENTERS)
    assert 0 <= scores["same_mode_percent"] <= 60


def test_a_model_without_a_gaussian_posterior_has_no_scores():
    assert encoder_scores(SimpleNamespace(generate=tf.identity, posterior=None), X, seed=0, centers=CENTERS) == {}
