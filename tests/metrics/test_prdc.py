"""Precision to coverage by hand, at their extremes, by their expectation, and against the authors' package."""

import importlib
import math

import numpy as np
import pytest

from bms_tf.metrics.prdc import density_coverage, expected_coverage, prdc, precision_recall, squared_radii


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def test_by_hand():
    # Real: 0, 1, 3, 7 on a line. k = 1: radii 1, 1, 2, 4. Samples: 0.5, 2, 10; their radii: 1.5, 1.5, 8.
    real, samples = np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [2], [10]])
    np.testing.assert_allclose(squared_radii(real, (1, 2)) ** 0.5, [[1, 3], [1, 2], [2, 3], [4, 6]])
    # 0.5 is in the balls of 0 and 1; 2 in those of 1 and 3; 10 in that of 7 (4): all realistic.
    # 0 and 1 are within 1.5 of 0.5, 3 within 1.5 of 2, 7 within 8 of 10: all reached.
    found = precision_recall(samples, real, seed=0, k=1)
    assert found == {"precision": 1, "recall": 1}
    # 5 pairs of a sample and a ball, plus 2 in none other; 7's ball is [3, 11].
    found = density_coverage(samples, real, seed=0, k=1)
    assert (found["density"], found["coverage"]) == (5 / 3, 1)
    # 1 - prod (4 - 1) / (4 + 3 - 1).
    assert found["coverage_expected"] == pytest.approx(0.5)


def test_extremes():
    real = normal(0, 300, 3)
    same = prdc(real, real, seed=0)
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)
    # In each of the balls, its center and its 5 nearest.
    assert same["density"] == pytest.approx(6 / 5)
    collapsed = prdc(np.repeat(real[:1], 50, axis=0), real, seed=0)
    # Balls of radius 0: only the example itself is reached.
    assert (collapsed["precision"], collapsed["recall"]) == (1, 1 / 300)
    far = prdc(real + 100, real, seed=0)
    assert (far["precision"], far["recall"], far["density"], far["coverage"]) == (0, 0, 0, 0)


def test_expected_coverage():
    """A real example is not covered if its k nearest of the N - 1 other real ones and M samples are all real.

    For equal distributions every order of the N + M - 1 is as likely, so that this is the chance of drawing k real ones
    without replacement: prod_{i=1..k} (N - i) / (N + M - i).
    """
    assert expected_coverage(3, 2, 1) == pytest.approx(1 - 1 / 4)
    assert expected_coverage(10_000, 10_000, 5) == pytest.approx(1 - 2**-5, abs=1e-4)
    found = [density_coverage(normal(i, 40, 2), normal(100 + i, 60, 2), seed=0, k=3)["coverage"] for i in range(200)]
    deviation = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(expected_coverage(40, 60, 3), abs=4 * deviation)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    samples, real = normal(0, 150, 4), 0.5 + normal(1, 130, 4)
    whole = prdc(samples, real, seed=0)
    for rows in (7, 128):
        monkeypatch.setattr(importlib.import_module("bms_tf.metrics.prdc"), "ROWS", rows)
        assert prdc(samples, real, seed=0) == whole
    assert precision_recall(samples, real, seed=0).items() <= whole.items()
    assert density_coverage(samples, real, seed=0).items() <= whole.items()


@pytest.mark.parametrize("k", [1, 3, 5])
def test_against_the_authors_package(k):
    package = pytest.importorskip("prdc")
    samples, real = normal(0, 400, 10), 0.2 + 1.1 * normal(1, 500, 10)
    theirs = package.compute_prdc(real, samples, nearest_k=k)
    ours = prdc(samples, real, seed=0, k=k, k_density=k)
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs)


@pytest.mark.slow
def test_the_published_example():
    """Two sets of 10,000 x 1000 standard normals; the package's own numbers move by .02 to .05 with the draw."""
    samples, real = normal(0, 10_000, 1000), normal(1, 10_000, 1000)
    at_3 = prdc(samples, real, seed=0)
    assert at_3["precision"] == pytest.approx(0.395, abs=0.05)
    assert at_3["recall"] == pytest.approx(0.365, abs=0.05)
    assert at_3["density"] == pytest.approx(1.11, abs=0.05)
    assert at_3["coverage"] == pytest.approx(0.978, abs=0.02)
    at_5 = precision_recall(samples, real, seed=0, k=5)
    assert at_5["precision"] == pytest.approx(0.486, abs=0.05)
    assert at_5["recall"] == pytest.approx(0.456, abs=0.05)


def test_too_few():
    with pytest.raises(ValueError, match="3 examples have no 3 nearest others; 4 or more are needed"):
        precision_recall(normal(0, 3, 2), normal(1, 9, 2), seed=0)
    with pytest.raises(ValueError, match="0 neighbors"):
        precision_recall(normal(0, 9, 2), normal(1, 9, 2), seed=0, k=0)
