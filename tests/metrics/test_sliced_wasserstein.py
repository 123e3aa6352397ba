"""The sliced Wasserstein distance by hand, at its extremes, and against tensorflow-gan's with its random numbers."""

import importlib

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from bms_tf.metrics.sliced_wasserstein import patches, sliced_distance

own = importlib.import_module("bms_tf.metrics.sliced_wasserstein")
both = pytest.mark.parametrize(
    "laplacian_level", [own.laplacian_level, own._laplacian_level], ids=["tensorflow-gan", "own"]
)


def images(seed, count=12, side=32, channels=3):
    return np.random.default_rng(seed).uniform(-1, 1, (count, side, side, channels)).astype(np.float32)


def score(samples, reference, **settings):
    function = own.sliced_wasserstein
    return function(samples, reference, seed=0, **settings)


def test_distance_in_one_dimension():
    a, b = np.random.default_rng(0).normal(size=(2, 50, 1))
    expected = scipy.stats.wasserstein_distance(a[:, 0], b[:, 0])
    assert sliced_distance(a, b, np.array([[3.0, -1.0]])) == pytest.approx(expected)  # two directions, the same line
    # Along the axes of the plane, a shift by (1, 3) is 1 and 3.
    points = np.random.default_rng(0).normal(size=(50, 2))
    assert sliced_distance(points, points + [1, 3], np.eye(2)) == pytest.approx(2)


def test_patches_by_hand():
    x = np.arange(25.0).reshape(1, 5, 5, 1)
    (cut,) = patches(x, np.array([[1]]), np.array([[3]]), 3)
    inside = np.array([2.0, 3, 4, 7, 8, 9, 12, 13, 14])
    np.testing.assert_allclose(cut, (inside - 8) / inside.std())
    np.testing.assert_array_equal(patches(np.ones([1, 5, 5, 1]), np.array([[2]]), np.array([[2]]), 3), np.zeros([1, 9]))


@both
def test_the_levels_add_up_to_the_image(laplacian_level):
    """Each level is an image less its blurred half, enlarged again: from the coarsest up, adding them gives it back."""
    x = images(0).astype(np.float64)
    finest, middle, coarsest = (laplacian_level(x, level, 3) for level in range(3))
    assert coarsest.shape[1:3] == (8, 8)
    half = middle + own._enlarged(coarsest)
    np.testing.assert_allclose(finest + own._enlarged(half), x, atol=1e-6)
    # A constant image has no detail.
    flat = np.full([1, 16, 16, 1], 0.3)
    np.testing.assert_allclose(laplacian_level(flat, 0, 2), 0, atol=1e-7)
    np.testing.assert_allclose(laplacian_level(flat, 1, 2), 0.3, rtol=1e-6)


def test_against_tensorflow_gan(monkeypatch):
    tfgan = pytest.importorskip("tensorflow_gan", reason="tensorflow-gan does not run on TensorFlow 2.16 and newer")
    theirs = importlib.import_module("tensorflow_gan.python.eval.sliced_wasserstein")
    real, samples = images(1), 0.5 * images(2)
    for level, expected in enumerate(theirs.laplacian_pyramid(tf.constant(real), 2)):
        np.testing.assert_allclose(own._laplacian_level(real, level, 2), expected, atol=1e-5)
        np.testing.assert_array_equal(own.laplacian_level(real, level, 2), expected)
    # Its random numbers are noted, and given to ours.
    places, axes = [], []
    rng = np.random.default_rng(3)

    def randint(low, high, size):
        places.append(rng.integers(low, high, size=size))
        return places[-1]

    def normal(shape):
        axes.append(rng.normal(size=[int(size) for size in shape]).astype(np.float32))
        return tf.constant(axes[-1])

    monkeypatch.setattr(np.random, "randint", randint)
    monkeypatch.setattr(tf.random, "normal", normal)
    found = tfgan.eval.sliced_wasserstein_distance(tf.constant(real), tf.constant(samples), patches_per_image=16)
    centers = [(y.reshape(12, 16), x.reshape(12, 16)) for y, x in zip(places[::2], places[1::2], strict=True)]
    # For each level patches of the real images and others of the same; then for each level those of the samples.
    for level, (_, expected) in enumerate(found):
        a = patches(own._laplacian_level(real, level, 2), *centers[2 * level], 7)
        b = patches(own._laplacian_level(samples, level, 2), *centers[4 + level], 7)
        assert sliced_distance(a, b, axes[2 * level + 1]) == pytest.approx(float(expected), rel=1e-4)


def test_extremes():
    # Textures of the same noise, one blurred: another texture.
    real, other = images(0, count=40), images(1, count=40)
    same, blurred = score(other, real), score(own._blurred(other), real)
    assert list(same) == ["swd_32", "swd_16", "swd"]
    assert same["swd"] == pytest.approx((same["swd_32"] + same["swd_16"]) / 2)
    assert blurred["swd_32"] > 1.5 * same["swd_32"]
    assert score(other, real) == same
    # As many of both are used, from the first on.
    assert score(np.concatenate([other, own._blurred(other)]), real) == same


def test_gray_images_and_fewer_of_them():
    real, other = images(0, side=28, channels=1), images(1, side=28, channels=1)
    whole = score(other, real)
    assert list(whole) == ["swd_28", "swd"]
    assert score(other[:5], real[:5]) == score(other, real, max_images=5) != whole


@pytest.mark.parametrize("shape", [(4, 6, 6, 3), (4, 8, 16, 3), (4, 2)])
def test_what_it_cannot_take(shape):
    with pytest.raises(ValueError, match="they must be square images, 7 pixels wide or more"):
        score(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize(("side", "of"), [(33, 2), (66, 4), (75, 4)])
def test_a_side_that_a_level_cannot_halve(side, of):
    with pytest.raises(ValueError, match=f"a side must be a multiple of {of}, as"):
        score(np.zeros((4, side, side, 1)), np.zeros((4, side, side, 1)))


# Of features.


def test_a_shift_of_features():
    """Along a unit vector u a shift by v is |u . v|: in three dimensions u . v is uniform in [-|v|, |v|], its mean
    absolute value |v| / 2 and the variance of that |v|^2 / 12."""
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    found = own.feature_sliced_wasserstein(x + [2, 3, 6], x, seed=0, directions=4000)
    assert found["feature_swd_std"] == pytest.approx(7 / np.sqrt(12 * 4000), rel=0.05)
    assert found["feature_swd"] == pytest.approx(7 / 2, abs=4 * found["feature_swd_std"])


def test_features_of_one_dimension_and_of_other_numbers():
    a, b = np.random.default_rng(0).normal(size=(50, 1)), np.random.default_rng(1).normal(1, 2, size=(70, 1))
    expected = scipy.stats.wasserstein_distance(a[:, 0], b[:, 0])
    found = own.feature_sliced_wasserstein(a, b, seed=0, directions=60)
    assert found == {"feature_swd": pytest.approx(expected, rel=1e-6), "feature_swd_std": pytest.approx(0, abs=1e-6)}
    assert own.feature_sliced_wasserstein(a, a[::-1], seed=0)["feature_swd"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="directions is 1; it must be at least 2"):
        own.feature_sliced_wasserstein(a, b, seed=0, directions=1)
