"""KL[q(z) || p(z)] by classifiers and density models, where it is known. Each trains for some seconds."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.integrate import quad
from scipy.stats import norm

from bms_tf.metrics import density_models, fitting
from bms_tf.metrics.code_draws import split_codes
from bms_tf.metrics.density_models import autoregressive_lstm, gaussian_mixture, masked_autoregressive_flow
from bms_tf.metrics.density_ratio import density_ratio, density_ratio_kl
from bms_tf.metrics.marginal_kl import kl_of_gaussian
from tests.metrics.hand_made import gaussian, model

# Codes of two dimensions: normal with the mean (1, -1), variances 1.5 and .5, and a covariance of .6.
MEAN, COVARIANCE = np.array([1.0, -1.0]), np.array([[1.5, 0.6], [0.6, 0.5]])
KL = kl_of_gaussian(MEAN, COVARIANCE)  # 1.547 nats


def correlated(count, seed=0):
    return np.random.default_rng(seed).multivariate_normal(MEAN, COVARIANCE, count).astype(np.float32)


def test_halves_of_the_data():
    data = np.arange(10, dtype=np.float32)[:, None]
    train, test, q = split_codes(model(1, encode=lambda x: x), data, seed=0, codes=20, noise=0.0)
    assert set(train[:, 0]) | set(test[:, 0]) == set(range(10))
    assert not set(train[:, 0]) & set(test[:, 0])
    assert q.size == 5


def test_the_ratio_of_two_gaussians():
    # log N(z; 1, 1) / N(z; 0, 1) = z - 1 / 2, at all places; its mean over N(1, 1) is the KL, 1 / 2.
    codes = 1 + np.random.default_rng(0).normal(size=(20_000, 1))
    ratio = density_ratio(codes, 1.0, hidden=(32,), steps=600, batch=256, rate=3e-3, seed=0)
    places = np.linspace(-0.5, 2.5, 7)
    np.testing.assert_allclose(ratio(places[:, None]), places - 0.5, atol=0.2)


def test_density_ratio_kl():
    encoder = gaussian(1, lambda x: 0 * x + 1, 1.0)
    settings = {"hidden": (32,), "steps": 600, "learning_rate": 3e-3}
    scores = density_ratio_kl(encoder, np.zeros((10, 1), np.float32), seed=0, **settings)
    assert scores["density_ratio_kl"] == pytest.approx(0.5, abs=0.06)
    # The classifier's border is at z = 1 / 2, and a share Phi(1 / 2) of each side is right.
    assert scores["density_ratio_accuracy_percent"] == pytest.approx(100 * norm.cdf(0.5), abs=1.5)
    # With noise of 1: N(1, 2) from N(0, 2), a KL of 1 / 4.
    noised = density_ratio_kl(encoder, np.zeros((10, 1), np.float32), seed=0, noise=1.0, **settings)
    assert noised["density_ratio_kl"] == pytest.approx(0.25, abs=0.06)


def test_codes_by_heart_do_not_count():
    # Codes of a deterministic encoder that are draws of the prior: a classifier that learned them by heart would say
    # that they are of the data.
    data = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    scores = density_ratio_kl(model(8, encode=lambda x: x), data, seed=0, steps=300, codes=1000)
    assert scores["density_ratio_kl"] < 0.3


@pytest.mark.parametrize(
    ("density", "settings"),
    [
        (gaussian_mixture, {"components": 20}),
        (masked_autoregressive_flow, {"hidden": (16,), "layers": 2, "steps": 800, "learning_rate": 3e-3}),
        (autoregressive_lstm, {"units": 16, "steps": 500, "learning_rate": 1e-2}),
    ],
)
def test_density_models_find_the_kl_of_correlated_codes(density, settings):
    log_t = density(correlated(8000), seed=0, **settings)
    test = correlated(8000, seed=1).astype(np.float64)
    log_p = norm.logpdf(test).sum(axis=1)
    # In expectation it is the KL less KL[q || t]: at most KL, but for a standard error of about .02.
    assert np.mean(log_t(test) - log_p) == pytest.approx(KL, abs=0.08)
    # A density integrates to 1, over a grid of cells of .1 x .1.
    axis = np.arange(-6, 8, 0.1)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert 0.01 * np.exp(log_t(grid)).sum() == pytest.approx(1, abs=0.01)


def test_density_model_kl_names_its_models():
    # Codes around +-2, of deviation .5: KL[q || p] by numeric integration of q log(q / p).
    def integrand(z):
        q = 0.5 * (norm.pdf(z, 2, 0.5) + norm.pdf(z, -2, 0.5))
        return q * (math.log(q) - norm.logpdf(z))

    expected, _ = quad(integrand, -8, 8, points=[-2, 2])
    data = np.array([[2.0], [-2.0]] * 100, np.float32)
    scores = density_models.density_model_kl(
        gaussian(1, lambda x: x, 0.5), data, seed=0, codes=5000, densities=[gaussian_mixture]
    )
    assert set(scores) == {"gaussian_mixture_kl", "gaussian_mixture_kl_std"}
    assert scores["gaussian_mixture_kl"] == pytest.approx(expected, abs=0.1)


def test_one_dimension_has_no_order():
    codes = np.random.default_rng(0).normal(size=(500, 1))
    assert masked_autoregressive_flow(codes, seed=0, steps=2)(codes).shape == (500,)
    assert autoregressive_lstm(codes, seed=0, steps=2)(codes).shape == (500,)


@pytest.mark.slow
def test_same_seed_same_numbers():
    codes = np.random.default_rng(0).normal(size=(500, 2))
    for density in (masked_autoregressive_flow, autoregressive_lstm):
        one, again = (density(codes, seed=5, steps=3)(codes) for _ in range(2))
        np.testing.assert_array_equal(one, again)


def test_bad_input():
    with pytest.raises(ValueError, match="1 codes of 10 data"):
        density_ratio_kl(model(1, encode=lambda x: x), np.zeros((10, 1)), seed=0, codes=1)
    with pytest.raises(ValueError, match=r"components is 9; it must lie in \[1, 5\]"):
        gaussian_mixture(np.zeros((5, 1)), seed=0, components=9)
    network = fitting.mlp(1, (4,), seed=0)
    with pytest.raises(ValueError, match="0 steps"):
        fitting.minimize(lambda key: 0.0, network.trainable_variables, steps=0, learning_rate=1e-3, seed=0)
    with pytest.raises(ValueError, match="the loss is nan after 2 steps; try a lower learning rate than 0.001"):
        fitting.minimize(
            lambda key: float("nan") * network(tf.ones([1, 1]))[0, 0],
            network.trainable_variables,
            steps=2,
            learning_rate=1e-3,
            seed=0,
        )
