"""Estimates of the KL against closed forms."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.networks.posteriors import DiagonalGaussian, PointMass
from bms_tf.objectives.divergences import analytic_kl, density_ratio_kl, empirical_kl, mmd, monte_carlo_kl


def test_density_ratio_of_the_best_code_discriminator_is_the_kl():
    # The best discriminator of p = N(0, 1) from q = N(m, s^2) has the logit log p(z) - log q(z), a quadratic in z, of
    # which three nodes of Gauss and Hermite give the mean over q exactly. KL[q || p] = (s^2 + m^2 - 1) / 2 - log s.
    m, s = 0.7, 0.5
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    z = m + s * nodes
    logits = -0.5 * z**2 + 0.5 * nodes**2 + math.log(s)
    estimate = np.sum(density_ratio_kl(tf.constant(logits)) * weights) / weights.sum()
    assert estimate == pytest.approx((s**2 + m**2 - 1) / 2 - math.log(s))


def test_analytic_kl():
    # Per dimension (s^2 + m^2 - 1) / 2 - log s: (1, 1) gives 1/2; (0, 2) gives 3/2 - log 2; the prior itself gives 0.
    mean = tf.constant([[1.0, 0.0], [0.0, 0.0]])
    log_stddev = tf.constant([[0.0, math.log(2.0)], [0.0, 0.0]])
    kl = analytic_kl(DiagonalGaussian(mean, log_stddev), None)
    np.testing.assert_allclose(kl, [2 - math.log(2), 0], rtol=1e-6)


def test_analytic_kl_against_tensorflow_probability():
    tfd = pytest.importorskip("tensorflow_probability").distributions
    mean, log_stddev = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 3)), tf.float32)
    prior = tfd.MultivariateNormalDiag(tf.zeros(3), tf.ones(3))
    expected = tfd.kl_divergence(tfd.MultivariateNormalDiag(mean, tf.exp(log_stddev)), prior)
    np.testing.assert_allclose(analytic_kl(DiagonalGaussian(mean, log_stddev), None), expected, rtol=1e-5)


def test_analytic_kl_of_a_point_is_refused():
    with pytest.raises(ValueError, match="Gaussian posterior.*PointMass"):
        analytic_kl(PointMass(tf.zeros([2, 2])), None)


def test_empirical_kl():
    # Codes 0 and 2 have mean 1 and variance 1: (1 + 1 - 1) / 2 - log 1 = 1/2. A dimension of -1 and 1, as the prior's,
    # adds 0, and the value is divided by the two dimensions.
    assert float(empirical_kl(None, tf.constant([[0.0], [2.0]]))) == pytest.approx(1 / 2)
    assert float(empirical_kl(None, tf.constant([[0.0, -1.0], [2.0, 1.0]]))) == pytest.approx(1 / 4)


def test_empirical_kl_against_eq_18():
    # alpha-GAN, eq. 18, with the constant -n/2, over n: m and s are the mean and deviation over the batch.
    z = np.random.default_rng(0).normal(0.3, 1.7, size=(40, 5)).astype(np.float32)
    m, s, n = z.mean(axis=0), z.std(axis=0), 5
    expected = (-n / 2 + np.sum((s**2 + m**2) / 2 - np.log(s))) / n
    assert float(empirical_kl(None, tf.constant(z))) == pytest.approx(expected, rel=1e-5)


def test_monte_carlo_kl_is_the_analytic_one_on_average():
    # log q - log p of two Gaussians is a quadratic in z: three nodes of Gauss and Hermite give its mean exactly.
    posterior = DiagonalGaussian(tf.constant([[0.7]]), tf.constant([[math.log(0.5)]]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    values = [monte_carlo_kl(posterior, posterior.sample(tf.constant([[n]], tf.float32)))[0] for n in nodes]
    assert np.sum(values * weights) / weights.sum() == pytest.approx(float(analytic_kl(posterior, None)[0]), rel=1e-5)


def test_monte_carlo_kl_needs_a_density():
    with pytest.raises(ValueError, match="needs a density.*PointMass"):
        monte_carlo_kl(PointMass(tf.zeros([2, 2])), tf.zeros([2, 2]))


def test_mmd_by_hand():
    # Z = 1 and scale 1: k = 2 / (2 + d^2). Within {0, 2} and {1, 3}: 1/3 each, at distance 2. Across: distances 1, 3, 1
    # and 1, (3 * 2/3 + 2/11) / 4 = 6/11. So 2/3 - 12/11 = -14/33.
    codes, prior = tf.constant([[0.0], [2.0]]), tf.constant([[1.0], [3.0]])
    assert float(mmd(codes, prior, scales=(1.0,))) == pytest.approx(-14 / 33)
    # Scale 2 in two dimensions, where two more are equal everywhere: k = 8 / (8 + d^2).
    codes, prior = (tf.concat([z, tf.ones([2, 1])], axis=1) for z in (codes, prior))
    expected = 2 * 8 / 12 - 2 * (3 * 8 / 9 + 8 / 17) / 4
    assert float(mmd(codes, prior, scales=(2.0,))) == pytest.approx(expected)
    assert float(mmd(codes, prior, scales=(2.0, 2.0))) == pytest.approx(2 * expected)


def test_mmd_is_zero_on_codes_of_the_same_distribution():
    # All 20 ways to part the same six codes into two sets of three: unbiased, so that the average is exactly 0.
    pool = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    halves = [(list(half), [i for i in range(6) if i not in half]) for half in itertools.combinations(range(6), 3)]
    values = [float(mmd(tf.constant(pool[a]), tf.constant(pool[b]))) for a, b in halves]
    assert np.mean(values) == pytest.approx(0, abs=1e-5) and np.max(np.abs(values)) > 0.1
    # Against itself a set has the pairs of each code with itself on one side only, k = 1 each: without them it would be
    # 0. With the mean k of the other pairs, k_2, it is 2 k_2 - 2 (n (n - 1) k_2 + n) / n^2 = -2 (1 - k_2) / n.
    z = pool[:3]
    k_2 = np.mean([4 / (4 + np.sum((z[i] - z[j]) ** 2)) for i in range(3) for j in range(3) if i != j])
    assert float(mmd(tf.constant(z), tf.constant(z), scales=(1,))) == pytest.approx(-2 * (1 - k_2) / 3, rel=1e-4)


def test_mmd_grows_with_the_distance():
    z = np.random.default_rng(0).normal(size=(2, 50, 2)).astype(np.float32)
    values = [float(mmd(tf.constant(z[0] + shift), tf.constant(z[1]))) for shift in (0, 1, 3)]
    assert values[0] < 0.2 < values[1] < values[2]


def test_mmd_needs_pairs():
    with pytest.raises(ValueError, match="compares pairs of codes; the batch has 1"):
        mmd(tf.zeros([1, 2]), tf.zeros([1, 2]))
