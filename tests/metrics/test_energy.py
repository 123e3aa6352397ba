"""The energy distance against hand arithmetic and scipy's."""

import importlib

import numpy as np
import pytest
import scipy.stats

from bms_tf.metrics.energy import energy, energy_distance, finite_rows


def test_two_point_masses():
    # E|X - Y| = 5, and no distance within either set: 2 * 5.
    a, b = np.zeros((7, 2)), np.tile([3.0, 4.0], (4, 1))
    assert energy_distance(a, b, seed=0) == pytest.approx(10)


def test_identical_sets_are_slightly_negative_as_an_unbiased_estimate_is():
    # {0, 1} against itself: the mean over all pairs (x, y) is 1/2, that over pairs of two different points is 1.
    a = np.array([[0.0], [1.0]])
    assert energy_distance(a, a, seed=0) == pytest.approx(2 * 0.5 - 1 - 1)


def test_against_scipy_in_one_dimension():
    # scipy gives the root of the V-statistic V, whose means within a set of n take the n pairs (x, x) in: its mean is
    # (n - 1) / n times ours. So ours is V - mean_a / (n - 1) - mean_b / (m - 1) with the V-statistic's means.
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=30), rng.normal(1, 2, size=20)
    means = [np.abs(x[:, None] - x).mean() for x in (a, b)]
    expected = scipy.stats.energy_distance(a, b) ** 2 - means[0] / 29 - means[1] / 19
    assert energy_distance(a[:, None], b[:, None], seed=0) == pytest.approx(expected, rel=1e-9)


def test_large_sets_are_subsampled_by_the_seed():
    a, b = np.random.default_rng(0).normal(size=(2, 500, 2))
    first = energy_distance(a, b, seed=1, max_points=50)
    assert first == energy_distance(a, b, seed=1, max_points=50)
    assert first != energy_distance(a, b, seed=2, max_points=50)
    # Any 50 of 500 equal points are the same set.
    assert energy_distance(a[:1].repeat(500, 0), b[:1].repeat(500, 0), seed=0, max_points=50) == pytest.approx(
        2 * np.linalg.norm(a[0] - b[0])
    )


def test_a_subsample_has_no_point_twice(monkeypatch):
    # A point drawn twice is a pair at distance 0, which makes a set look narrower than it is.
    drawn = []
    energy_module = importlib.import_module("bms_tf.metrics.energy")  # whose name a function shares
    original = energy_module.euclidean_distances
    monkeypatch.setattr(energy_module, "euclidean_distances", lambda *sets: drawn.extend(sets) or original(*sets))
    a, b = np.random.default_rng(0).normal(size=(2, 60, 2))
    energy_distance(a, b, seed=0, max_points=50)
    assert drawn and all(len(points) == len(np.unique(points, axis=0)) == 50 for points in drawn)


def test_rows_that_are_not_finite_are_left_out():
    a = np.array([[0.0, 0.0], [np.nan, 0.0], [0.0, 0.0], [0.0, np.inf]])
    assert energy_distance(a, np.tile([0.0, 2.0], (3, 1)), seed=0) == pytest.approx(4)
    assert np.isnan(energy_distance(a[1:3], a, seed=0))  # one finite point has no pair


def test_finite_rows_copies_only_what_it_must(monkeypatch):
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.energy"), "ROWS", 2)
    a = np.arange(20, dtype=np.float32).reshape(5, 2, 2)
    assert finite_rows(a) is a
    a[3, 0, 1] = np.nan
    np.testing.assert_array_equal(finite_rows(a), a[[0, 1, 2, 4]])
    assert finite_rows(a).dtype == np.float32
    assert len(finite_rows(a[:0])) == 0


def test_the_metric():
    a, b = np.random.default_rng(0).normal(size=(2, 30, 2))
    assert energy(a, b, seed=3, max_points=20) == {"energy_distance": energy_distance(a, b, seed=3, max_points=20)}
