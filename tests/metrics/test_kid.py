"""The kernel distance by hand, and against tensorflow-gan's."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

own = importlib.import_module("bms_tf.metrics.kid")
kid = own.kid


@pytest.mark.parametrize("squared_mmd", [own.squared_mmd, own._squared_mmd], ids=["tensorflow-gan", "own"])
def test_by_hand(squared_mmd):
    # F = 1: k(x, y) = (x y + 1)^3. x = 0, 1: k = (0 + 1)^3 = 1 for the pair of different rows. y = 1, 2: 3^3 = 27.
    # Across: 1, 1 (of 0), 2^3 = 8, 3^3 = 27 (of 1), the mean of which is 37 / 4. 1 + 27 - 2 * 37 / 4 = 9.5.
    assert squared_mmd(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])) == pytest.approx(9.5)


def test_against_tensorflow_gan():
    tfgan = pytest.importorskip("tensorflow_gan", reason="tensorflow-gan does not run on TensorFlow 2.16 and newer")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(150, 8)), rng.normal(0.3, 1.2, size=(120, 8))
    theirs = tfgan.eval.kernel_classifier_distance_from_activations(tf.constant(b), tf.constant(a))
    assert own._squared_mmd(a, b) == pytest.approx(float(theirs), rel=1e-9)
    assert own.squared_mmd(a, b) == float(theirs)
    # More than its usual block of 1024 are one block.
    a, b = rng.normal(size=(1030, 3)), rng.normal(0.3, 1.2, size=(1100, 3))
    assert own.squared_mmd(a, b) == pytest.approx(own._squared_mmd(a, b), rel=1e-9)


def test_equal_distributions_are_zero_on_average():
    a, b = np.random.default_rng(0).normal(size=(2, 2000, 4))
    same = kid(a, b, seed=0, subsets=50, subset_size=100)
    # The mean of 50 subsets of 2000 points, which overlap: no better than one of 2000, no worse than one of 100.
    assert abs(same["kid"]) < 3 * same["kid_std"] / np.sqrt(20)
    far = kid(a + 1, b, seed=0, subsets=50, subset_size=100)
    assert far["kid"] > 10 * same["kid_std"]
    assert (
        far == kid(a + 1, b, seed=0, subsets=50, subset_size=100) != kid(a + 1, b, seed=1, subsets=50, subset_size=100)
    )


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_spread_of_one_subset_is_about_that_of_repeated_draws(shift, monkeypatch):
    monkeypatch.setattr(own, "squared_mmd", own._squared_mmd)  # 2,000 calls
    rng = np.random.default_rng(0)
    draws = [kid(rng.normal(shift, 1, (40, 4)), rng.normal(size=(40, 4)), seed=0, subsets=20) for _ in range(100)]
    true = np.std([draw["kid"] for draw in draws])
    assert true < np.mean([draw["kid_std"] for draw in draws]) < 2 * true
    assert kid(np.eye(3), np.eye(3), seed=0).keys() == {"kid"}  # of three there are no halves


def test_too_few():
    with pytest.raises(ValueError, match="1 samples, 5 real examples, 100 subsets of 1000: at least 2"):
        kid(np.zeros([1, 2]), np.zeros([5, 2]), seed=0)
    with pytest.raises(ValueError, match="1 subsets"):
        kid(np.zeros([5, 2]), np.zeros([5, 2]), seed=0, subsets=1)
