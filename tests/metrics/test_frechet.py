"""The Frechet distance against closed forms, scipy's matrix root, and tensorflow-gan's."""

import importlib

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from bms_tf.metrics.frechet import frechet, frechet_distance, moments


def two_sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 12)) @ rng.normal(size=(12, 12)), rng.normal(1, 2, size=(150, 12))


def test_one_dimension_by_hand():
    # {-1, 1}: mean 0, variance 2. {0, 4}: mean 2, variance 8. 2^2 + (sqrt 8 - sqrt 2)^2 = 4 + 2.
    assert frechet_distance(np.array([[-1.0], [1.0]]), np.array([[0.0], [4.0]])) == pytest.approx(6)


def test_identical_sets_and_a_shift():
    a, _ = two_sets()
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    # A shift leaves the covariance: 12 dimensions of 0.5^2.
    assert frechet_distance(a, a + 0.5) == pytest.approx(12 * 0.25)
    # A scale of 3: |m - 3 m|^2 + (3 - 1)^2 tr C.
    trace = np.trace(np.cov(a, rowvar=False))
    assert frechet_distance(a, 3 * a) == pytest.approx(4 * np.sum(a.mean(axis=0) ** 2) + 4 * trace)


def test_against_the_matrix_root_of_the_product():
    a, b = two_sets()
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariance_a @ covariance_b).real
    shift = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    expected = shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_fewer_examples_than_features():
    # Two points each on one axis of 3-D: covariances of rank 1 that share no direction, so the root is 0.
    a, b = np.array([[1.0, 0, 0], [-1, 0, 0]]), np.array([[0, 1.0, 0], [0, -1, 0]])
    assert frechet_distance(a, b) == pytest.approx(2 + 2)


def test_against_tensorflow_gan():
    tfgan = pytest.importorskip("tensorflow_gan", reason="tensorflow-gan does not run on TensorFlow 2.16 and newer")
    a, b = two_sets()
    theirs = float(tfgan.eval.frechet_classifier_distance_from_activations(tf.constant(a), tf.constant(b)))
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(("shape_a", "shape_b"), [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5,))])
def test_wrong_shapes_are_named(shape_a, shape_b):
    with pytest.raises(ValueError, match="must be"):
        frechet_distance(np.zeros(shape_a), np.zeros(shape_b))


def test_moments_are_those_of_all_rows_at_once(monkeypatch):
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.frechet"), "ROWS", 7)
    a = np.random.default_rng(1).normal(5, 2, size=(40, 3)).astype(np.float32)
    mean, covariance = moments(a)
    np.testing.assert_allclose(mean, a.astype(float).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(a.astype(float), rowvar=False), rtol=1e-12)


def test_the_metric_wants_more_examples_than_features():
    a, b = two_sets()
    assert frechet(a, b, seed=0) == {"frechet_distance": frechet_distance(a, b)}
    with pytest.raises(ValueError, match="12 samples for 12 features; 13 or more are needed"):
        frechet(a[:12], b, seed=0)
    with pytest.raises(ValueError, match="5 real examples for 12 features; 13 or more are needed"):
        frechet(a, b[:5], seed=0)
