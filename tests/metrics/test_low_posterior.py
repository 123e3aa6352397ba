"""Low-posterior codes of posteriors of which their share is known."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from bms_tf.metrics.low_posterior import low_posterior
from tests.metrics.hand_made import gaussian, model

FIGURES = {"low_posterior_codes", "low_posterior_samples", "low_posterior_kl"}


def points(z):
    return tf.concat([z, z], axis=1)


def scores(encoder, data, **settings):
    return low_posterior(encoder, data, seed=0, **{"embedded": 0, "codes": 20_000} | settings)


def test_none_where_q_is_the_prior():
    data = np.zeros((3, 2), np.float32)
    encoder = gaussian(1, lambda x: 0 * x[:, :1], 1.0, generate=points)
    result = scores(encoder, data)
    assert result["low_posterior_percent"] == pytest.approx(0, abs=0.02)
    assert result["reverse_kl"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(result["low_posterior_energy"])
    # The density of N(0, 1) at the 99 % quantile of |z|, 2.5758.
    assert result["low_posterior_threshold"] == pytest.approx(norm.logpdf(norm.ppf(0.995)), rel=1e-6)


def test_a_narrow_posterior_by_hand():
    # q(z) = N(0, .5^2) is under the density phi(2.5758) where z^2 / .5 > 2.5758^2 / 2 ... : -z^2 / (2 .25) - log .5 <
    # -2.5758^2 / 2, |z| > sqrt(.5 (2.5758^2 / 2 + log 2)) = 1.4160. Likely is |z| < 2.5758.
    radius = norm.ppf(0.995)
    edge = math.sqrt(0.5 * (radius**2 / 2 + math.log(2)))
    share = (norm.cdf(radius) - norm.cdf(edge)) / (norm.cdf(radius) - 0.5)
    encoder = gaussian(1, lambda x: 0 * x[:, :1], 0.5, generate=points)
    result = scores(encoder, np.zeros((3, 2), np.float32))
    assert result["low_posterior_percent"] == pytest.approx(100 * share, abs=1.3)  # five standard errors of 20,000
    # KL[N(0, 1) || N(0, .25)] = (4 - 1 - log 4) / 2.
    assert result["reverse_kl"] == pytest.approx(0.5 * (3 - math.log(4)), abs=5 * result["reverse_kl_std"])
    # With a margin m the edge moves to sqrt(.5 (radius^2 / 2 + log 2 + m)).
    edge = math.sqrt(0.5 * (radius**2 / 2 + math.log(2) + 2))
    share = (norm.cdf(radius) - norm.cdf(edge)) / (norm.cdf(radius) - 0.5)
    result = scores(encoder, np.zeros((3, 2), np.float32), margin=2.0)
    assert result["low_posterior_percent"] == pytest.approx(100 * share, abs=1)


def test_low_codes_give_the_bad_samples():
    # The data are (+-1, 0), of codes near +-1; codes near 0, which no datum has, give the point (0, 1).
    def generate(z):
        return tf.concat([tf.where(tf.abs(z) < 0.5, 0.0, tf.sign(z)), tf.cast(tf.abs(z) < 0.5, tf.float32)], axis=1)

    data = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32).repeat(50, axis=0)
    encoder = gaussian(1, lambda x: x[:, :1], 0.1, generate=generate)
    result = scores(encoder, data)
    assert result["low_posterior_energy"] > result["prior_energy"] > 0
    wide = gaussian(1, lambda x: x[:, :1], 0.6, generate=generate)
    assert scores(wide, data)["low_posterior_percent"] < result["low_posterior_percent"]


def test_the_pictures():
    data = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    encoder = gaussian(1, lambda x: x[:, :1], 0.05, generate=points)
    result = scores(encoder, data, embedded=40, codes=200, perplexity=5.0)
    assert FIGURES < set(result)
    shown = result["low_posterior_codes"].axes[0].collections
    mine, theirs, low = (len(points.get_offsets()) for points in shown)
    assert mine == 40 and theirs + low == 40
    assert [len(c.get_offsets()) for c in result["low_posterior_samples"].axes[0].collections][0] > 150
    images = gaussian(1, lambda x: x[:, 0, 0], 0.05, generate=lambda z: tf.ones([tf.shape(z)[0], 8, 8, 1]))
    result = scores(images, np.zeros((50, 8, 8, 1), np.float32), codes=200)
    assert result["low_posterior_samples"].axes[0].images[0].get_array().shape == (8 * 8 + 14, 8 * 8 + 14)


def test_a_deterministic_encoder_by_noise():
    # Codes at 0 with noise of 1 are N(0, 1), the prior with it is N(0, 2).
    encoder = model(1, encode=lambda x: 0 * x[:, :1], generate=points)
    result = scores(encoder, np.zeros((3, 2), np.float32), noise=1.0)
    # KL[N(0, 2) || N(0, 1)] = (2 - 1 - log 2) / 2.
    assert result["reverse_kl"] == pytest.approx(0.5 * (1 - math.log(2)), abs=5 * result["reverse_kl_std"])
    many = scores(encoder, np.zeros((4000, 2), np.float32), noise=1.0, codes=4000)
    assert many["low_posterior_percent_matched"] == pytest.approx(0, abs=1)
    assert many["reverse_kl_matched"] == pytest.approx(0, abs=0.01)
    with pytest.raises(ValueError, match="no density"):
        scores(encoder, np.zeros((3, 2), np.float32))


@pytest.mark.parametrize("setting", [{"level": 0.0}, {"margin": -1.0}, {"codes": 1}, {"embedded": -1}])
def test_bad_settings(setting):
    encoder = gaussian(1, lambda x: 0 * x[:, :1], 1.0, generate=points)
    with pytest.raises(ValueError, match="low_posterior"):
        scores(encoder, np.zeros((3, 2), np.float32), **setting)


def test_more_perplexity_than_codes():
    encoder = gaussian(1, lambda x: 0 * x[:, :1], 1.0, generate=points)
    with pytest.raises(ValueError, match="perplexity is 30.0; it must be less than the 20 codes"):
        scores(encoder, np.zeros((3, 2), np.float32), codes=100, embedded=10)
