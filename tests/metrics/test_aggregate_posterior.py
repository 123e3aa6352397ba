"""The density, the draws and the moments of q(z), by hand and beside scipy."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal

from bms_tf.metrics.aggregate_posterior import AggregatePosterior, log_mean_of_gaussians
from tests.metrics.hand_made import as_flow, gaussian, model

DATA = np.array([[1.0], [-1.0]], np.float32)  # two data, whose codes lie around them


def two_gaussians(stddev=0.5):
    return gaussian(1, lambda x: x, stddev)


@pytest.mark.parametrize("chunk_bytes", [1, 2**20])
def test_the_matrix_product_is_the_mixture_of_scipy(chunk_bytes):
    rng = np.random.default_rng(0)
    mean, log_stddev, z = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), 3 * rng.normal(size=(5, 3))
    each = [multivariate_normal(m, np.diag(np.exp(2 * s))).pdf(z) for m, s in zip(mean, log_stddev)]
    found = log_mean_of_gaussians(z, mean, log_stddev, chunk_bytes)
    np.testing.assert_allclose(found, np.log(np.mean(each, axis=0)), rtol=1e-12)


def test_no_density_is_too_thin_for_the_logarithm():
    # 100 standard deviations away: log N = -100^2 / 2 - log(sqrt(2 pi)), far under the smallest float64.
    found = log_mean_of_gaussians(np.array([[100.0]]), np.zeros((1, 1)), np.zeros((1, 1)))
    assert found[0] == pytest.approx(-5000 - 0.5 * math.log(2 * math.pi))


def test_narrow_posteriors_keep_their_digits():
    # At its own mean of 3, a posterior of deviation 1e-4 has the log density -log(1e-4 sqrt(2 pi)); the two terms that
    # cancel in the matrix product are 3^2 / 1e-8 = 9e8, whose rounding is about 1e-7.
    found = log_mean_of_gaussians(np.array([[3.0]]), np.array([[3.0]]), np.array([[math.log(1e-4)]]))
    assert found[0] == pytest.approx(-math.log(1e-4) - 0.5 * math.log(2 * math.pi), abs=1e-6)


@pytest.mark.parametrize("form", [two_gaussians, lambda: as_flow(two_gaussians())])
def test_two_gaussians(form):
    q = AggregatePosterior(form(), DATA)
    # At 0 both have the density exp(-(1 / .5)^2 / 2) / (.5 sqrt(2 pi)), and so has their mean.
    at_zero = -2 - math.log(0.5) - 0.5 * math.log(2 * math.pi)
    assert q.log_prob(np.zeros((1, 1)))[0] == pytest.approx(at_zero, abs=1e-6)
    assert q.log_conditional(np.zeros((1, 1)), np.array([1]))[0] == pytest.approx(at_zero, abs=1e-6)
    # Mean 0; variance .5^2 within and 1 between.
    mean, covariance = q.moments(seed=0)
    assert mean == pytest.approx([0], abs=0.5)
    assert covariance[0, 0] == pytest.approx(1.25, abs=0.5 if q.gaussians is None else 1e-6)
    # KL[N(1, .5^2) || N(0, 1)] = (1 + .25 - 1 - log .25) / 2.
    expected = 0.5 * (0.25 - math.log(0.25))
    assert q.kl_per_datum(seed=0, draws=4000) == pytest.approx(
        [expected] * 2, abs=1e-6 if q.gaussians is not None else 0.06
    )


def test_every_x_is_drawn_as_often():
    z, index = AggregatePosterior(two_gaussians(), DATA).sample(5000, seed=0)
    assert np.bincount(index).tolist() == [2500, 2500]
    # Each half is N(+-1, .5^2): five standard errors are 5 * .5 / 50.
    assert [z[index == i].mean() for i in (0, 1)] == pytest.approx([1, -1], abs=0.05)
    assert z[index == 0].std() == pytest.approx(0.5, abs=0.03)


def test_noise_is_convolution():
    # N(1, .6^2) with noise of .8 is N(1, 1), in front of a prior N(0, 1.64); one at its mean has 1 / sqrt(2 pi).
    q = AggregatePosterior(two_gaussians(0.6), DATA[:1], noise=0.8)
    assert q.log_prob(np.ones((1, 1)))[0] == pytest.approx(-0.5 * math.log(2 * math.pi), abs=1e-6)
    assert q.log_prior(np.zeros((1, 1)))[0] == pytest.approx(-0.5 * math.log(2 * math.pi * 1.64))
    # KL[N(1, 1) || N(0, 1.64)] = (1 / 1.64 + 1 / 1.64 - 1 + log 1.64) / 2.
    assert q.kl_per_datum(seed=0)[0] == pytest.approx(0.5 * (2 / 1.64 - 1 + math.log(1.64)), abs=1e-6)
    clean, noised = q.sample_prior(20_000, seed=0)
    assert clean.std() == pytest.approx(1, abs=0.03)
    assert noised.std() == pytest.approx(math.sqrt(1.64), abs=0.04)


def test_a_deterministic_encoder_has_a_density_with_noise_alone():
    encoder = model(1, encode=lambda x: x)
    with pytest.raises(ValueError, match="no density.*noise > 0"):
        AggregatePosterior(encoder, DATA).log_prob(np.zeros((1, 1)))
    z, index = AggregatePosterior(encoder, DATA).sample(4, seed=0)
    assert z.tolist() == DATA[index].tolist()
    q = AggregatePosterior(encoder, DATA, noise=0.5)
    assert q.log_prob(np.zeros((1, 1)))[0] == pytest.approx(-2 - math.log(0.5) - 0.5 * math.log(2 * math.pi))


def test_matched_codes_are_the_prior_but_for_their_number():
    many = AggregatePosterior(two_gaussians(), np.zeros((4000, 1), np.float32), noise=1.0).matched(seed=0)
    z = np.linspace(-2, 2, 5)[:, None]
    # A kernel estimate of 4,000 draws, of a deviation of about .5 % for the density of N(0, 2).
    np.testing.assert_allclose(many.log_prob(z), many.log_prior(z), atol=0.08)
    with pytest.raises(ValueError, match="noise must be positive"):
        AggregatePosterior(two_gaussians(), DATA).matched(seed=0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AggregatePosterior(model(1), DATA), "no encoder"),
        (lambda: AggregatePosterior(two_gaussians(), DATA, noise=-1.0), "noise is -1.0"),
        (lambda: AggregatePosterior(two_gaussians(), DATA[:0]), "no data"),
        (
            lambda: AggregatePosterior(
                model(2, encode=lambda x: x, sample_prior=lambda s: tf.ones([tf.shape(s)[0], 2])), DATA
            ),
            "prior is not standard normal: its codes have a mean square of 1",
        ),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()
