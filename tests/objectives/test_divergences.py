"""Estimates of the KL against closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.networks.posteriors import DiagonalGaussian, PointMass
from bms_tf.objectives.divergences import analytic_kl, density_ratio_kl, empirical_kl


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
