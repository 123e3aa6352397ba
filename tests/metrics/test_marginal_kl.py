"""KL[q(z) || p(z)], mutual information and moments where they are known."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from bms_tf.metrics.marginal_kl import code_moments, kl_of_gaussian, marginal_kl
from tests.metrics.hand_made import as_flow, gaussian, model

CODES = 20_000


def same_code(mean, stddev, form=lambda m: m, **functions):
    """Every datum has the posterior N(mean, stddev^2)."""
    return form(gaussian(1, lambda x: 0 * x + mean, stddev, **functions))


@pytest.mark.parametrize("form", [lambda m: m, as_flow])
def test_one_gaussian(form):
    # q(z) = N(1, .5^2) whatever the data: KL[q || N(0, 1)] = (1 + .25 - 1 - log .25) / 2; the codes tell nothing of it.
    scores = marginal_kl(same_code(1.0, 0.5, form), np.zeros((3, 1)), seed=0, codes=2000 if form == as_flow else CODES)
    assert scores["marginal_kl"] == pytest.approx(0.5 * (0.25 - math.log(0.25)), abs=5 * scores["marginal_kl_std"])
    assert 0 < scores["marginal_kl_std"] < 0.05
    assert scores["mutual_information"] == pytest.approx(0, abs=1e-6)
    assert scores["mutual_information_bound"] == pytest.approx(math.log(3))


def test_a_mixture_against_quadrature():
    # Two data with the codes N(+-1, .7^2), which overlap: KL[q || p] by numeric integration of q log(q / p).
    def integrand(z):
        q = 0.5 * (norm.pdf(z, 1, 0.7) + norm.pdf(z, -1, 0.7))
        return q * (math.log(q) - norm.logpdf(z))

    expected, _ = quad(integrand, -8, 8)
    scores = marginal_kl(gaussian(1, lambda x: x, 0.7), np.array([[1.0], [-1.0]]), seed=0, codes=CODES)
    assert expected > 0.03  # so that the tolerance below, five standard errors or about .02, tells it from 0
    assert scores["marginal_kl"] == pytest.approx(expected, abs=5 * scores["marginal_kl_std"])
    # Eq. 5: the mean KL of the posteriors, (1 + .49 - 1 - log .49) / 2, is the marginal KL and the information.
    average = 0.5 * (0.49 - math.log(0.49))
    assert scores["average_kl"] == pytest.approx(average, abs=5 * scores["average_kl_std"])
    assert scores["mutual_information"] == pytest.approx(average - expected, abs=5 * scores["mutual_information_std"])
    assert scores["mutual_information"] < math.log(2)


def test_posteriors_that_do_not_overlap_reach_the_bound():
    # Eight codes, 1 apart, of deviation .01: a code tells which x it is of, I = log 8.
    data = np.arange(8.0)[:, None]
    scores = marginal_kl(gaussian(1, lambda x: x, 0.01), data, seed=0, codes=1000)
    assert scores["mutual_information"] == pytest.approx(math.log(8), abs=1e-9)
    assert scores["marginal_kl"] == pytest.approx(scores["average_kl"] - math.log(8), abs=1e-9)


def test_the_prior_itself():
    # Codes of 4,000 data that are draws of N(0, 1 - .6^2), posterior deviation .6: q(z) is the prior but for the finite
    # data. The KL of N data's mixture is of the order of 1 / N.
    data = np.random.default_rng(0).normal(size=(4000, 1)) * 0.8
    scores = marginal_kl(gaussian(1, lambda x: x, 0.6), data, seed=0, codes=CODES)
    assert scores["marginal_kl"] == pytest.approx(0, abs=0.005)


def test_noise_lowers_it():
    data = np.zeros((3, 1))
    # N(1, .5^2) and N(0, 1) with noise of 1 are N(1, 1.25) and N(0, 2): (1 / 2 + .625 - 1 - log .625) / 2 = .2975.
    scores = marginal_kl(same_code(1.0, 0.5), data, seed=0, codes=CODES, noise=1.0)
    assert scores["marginal_kl"] == pytest.approx(0.5 * (0.125 - math.log(0.625)), abs=5 * scores["marginal_kl_std"])
    # Of one code of the prior: with the noise N(z, 1) beside N(0, 2), (1 / 2 + z^2 / 2 - 1 - log(1 / 2)) / 2 at least.
    one = marginal_kl(same_code(1.0, 0.5), data[:1], seed=0, codes=CODES, noise=1.0)
    assert one["marginal_kl_matched"] > 0.5 * (math.log(2) - 0.5) - 5 * one["marginal_kl_matched_std"]
    many = marginal_kl(same_code(1.0, 0.5), np.zeros((4000, 1)), seed=0, codes=2000, noise=1.0)
    assert many["marginal_kl_matched"] == pytest.approx(0, abs=0.01)


def test_same_seed_same_numbers():
    data = np.random.default_rng(0).normal(size=(50, 1))
    one, again, other = (marginal_kl(gaussian(1, lambda x: x, 0.5), data, seed=s, codes=100) for s in (1, 1, 2))
    assert one == again != other


def test_kl_of_gaussian():
    # Diagonal: the sum over dimensions of (mean^2 + variance - 1 - log variance) / 2.
    found = kl_of_gaussian(np.array([1.0, 0.0]), np.diag([0.25, 4.0]))
    assert found == pytest.approx(0.5 * (1 + 0.25 - 1 - math.log(0.25)) + 0.5 * (4 - 1 - math.log(4)))
    assert kl_of_gaussian(np.zeros(2), np.ones((2, 2))) == math.inf  # both dimensions are the same


def test_moments():
    # Codes (x, 0) with x = +-2 and deviation .5: mean 0, variances 4 + .25 and .25, nothing correlated.
    data = np.array([[2.0, 0.0], [-2.0, 0.0]], np.float32)
    result = code_moments(gaussian(2, lambda x: x, 0.5), data, seed=0)
    assert result["code_mean_rms"] == pytest.approx(0, abs=1e-6)
    assert result["code_variance_min"] == pytest.approx(0.25, rel=1e-6)
    assert result["code_variance_max"] == pytest.approx(4.25, rel=1e-6)
    assert result["code_correlation_max"] == pytest.approx(0, abs=1e-6)
    assert result["active_units"] == 1
    expected = 0.5 * (4.25 - 1 - math.log(4.25)) + 0.5 * (0.25 - 1 - math.log(0.25))
    assert result["moments_kl"] == pytest.approx(expected, rel=1e-5)
    each = 0.5 * (4 + 0.25 - 1 - math.log(0.25)) + 0.5 * (0.25 - 1 - math.log(0.25))
    for name in ("mean", "median", "max"):
        assert result[f"kl_per_datum_{name}"] == pytest.approx(each, rel=1e-5)
    bars = result["kl_per_datum"].axes[0].patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    assert result["code_covariance"].axes[1].images[0].get_array()[0, 0] == pytest.approx(4.25, rel=1e-6)


def test_moments_of_codes_without_a_density():
    data = np.array([[1.0, 1.0], [-1.0, -1.0]], np.float32)
    result = code_moments(model(2, encode=lambda x: x), data, seed=0)
    # Both dimensions are the same: their correlation is 1, and a Gaussian with that covariance has no density.
    assert result["code_correlation_max"] == pytest.approx(1)
    assert result["moments_kl"] == math.inf
    assert "kl_per_datum_mean" not in result and "active_units" not in result


def test_bad_input():
    with pytest.raises(ValueError, match="marginal_kl.codes is 1"):
        marginal_kl(same_code(0.0, 1.0), np.zeros((3, 1)), seed=0, codes=1)
    with pytest.raises(ValueError, match="no density"):
        marginal_kl(model(1, encode=lambda x: x), np.zeros((3, 1)), seed=0)
