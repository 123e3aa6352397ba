"""MS-SSIM by hand and beside an implementation with NumPy and scipy alone."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate1d

from bms_tf.metrics.ms_ssim import WEIGHTS, mean_over_pairs, ms_ssim, ms_ssim_diversity, scales

RNG = np.random.default_rng(0)


def smooth(shape):
    """Images in [-1, 1] that are not noise alone."""
    x = np.cumsum(np.cumsum(RNG.normal(size=shape), axis=1), axis=2)
    return (x / np.abs(x).max(axis=(1, 2, 3), keepdims=True)).astype(np.float32)


def independent(a, b, count):
    """MS-SSIM of gray images [H, W] in [0, 1], after Wang et al. 2003, sections 2 and 3: an 11 x 11 Gaussian window of
    deviation 1.5, K of .01 and .03, each scale the mean of 2 x 2 pixels of the finer one."""
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()

    def blurred(x):
        return correlate1d(correlate1d(x, window, axis=0), window, axis=1)[5:-5, 5:-5]

    value, weights = 1.0, np.array(WEIGHTS[:count]) / sum(WEIGHTS[:count])
    for i, weight in enumerate(weights):
        mean_a, mean_b = blurred(a), blurred(b)
        variance_a, variance_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
        covariance = blurred(a * b) - mean_a * mean_b
        structure = (2 * covariance + 0.03**2) / (variance_a + variance_b + 0.03**2)
        luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        last = i == count - 1
        value *= max(np.mean(structure * luminance if last else structure), 0) ** weight
        a, b = (x.reshape(len(x) // 2, 2, -1, 2).mean(axis=(1, 3)) for x in (a, b))
    return value


@pytest.mark.parametrize("side", [16, 32, 64])
def test_beside_the_independent_one(side):
    first = smooth((3, side, side, 1))
    second = np.clip(first + smooth((3, side, side, 1)), -1, 1)
    expected = [
        independent(a[..., 0] / 2 + 0.5, b[..., 0] / 2 + 0.5, scales(first.shape)) for a, b in zip(first, second)
    ]
    found = ms_ssim(tf.constant(first), tf.constant(second)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert 0.05 < found.min() < 0.95


def test_identical_images():
    x = smooth((4, 48, 48, 3))
    np.testing.assert_allclose(ms_ssim(tf.constant(x), tf.constant(x)), 1, atol=1e-6)
    same = np.repeat(x[:1], 10, axis=0)
    scores = ms_ssim_diversity(same, x, seed=0, pairs=50)
    assert scores["ms_ssim_diversity"] == pytest.approx(0, abs=1e-5)
    assert scores["ms_ssim_diversity_test"] > 0.05


def test_flat_images_by_hand():
    # No structure to differ in; at one scale the luminance is left: of .25 and .75, (2 * .1875 + 1e-4) / (.625 + 1e-4).
    a, b = (tf.fill([1, 12, 12, 1], value) for value in (-0.5, 0.5))
    assert ms_ssim(a, b).numpy()[0] == pytest.approx((0.375 + 1e-4) / (0.625 + 1e-4), rel=1e-4)


@pytest.mark.parametrize(("side", "count"), [(11, 1), (21, 1), (22, 2), (44, 3), (88, 4), (175, 4), (176, 5), (256, 5)])
def test_scales(side, count):
    assert scales((1, side, side, 3)) == count
    assert scales((1, side, 300, 3)) == count


def test_noise_is_more_diverse():
    # Rosca et al. 2017, section 5: the noised data has a higher diversity than the data.
    scores = ms_ssim_diversity(smooth((30, 24, 24, 1)), smooth((30, 24, 24, 1)), seed=0, pairs=100, noise=0.3)
    assert scores["ms_ssim_diversity_noised_test"] > scores["ms_ssim_diversity_test"]
    assert scores["ms_ssim_scales"] == 2
    still = ms_ssim_diversity(smooth((9, 24, 24, 1)), smooth((9, 24, 24, 1)), seed=0, pairs=9, noise=0.0)
    assert still["ms_ssim_diversity_noised_test"] == still["ms_ssim_diversity_test"]


def test_pairs_are_of_two_different_images():
    images = np.arange(4, dtype=np.float32)[:, None]
    # |i - j| over all pairs of 0 .. 3: three of 1, two of 2, one of 3, 10 / 6.
    mean, error = mean_over_pairs(lambda a, b: tf.abs(a - b)[:, 0], images, pairs=5000, seed=0)
    assert mean == pytest.approx(10 / 6, abs=5 * error)
    # Their variance is (3 + 2 * 4 + 9) / 6 - (10 / 6)^2 = .556.
    assert error == pytest.approx(np.sqrt(0.5556 / 5000), rel=0.05)
    least, _ = mean_over_pairs(lambda a, b: tf.cast(a == b, tf.float32)[:, 0], images, pairs=5000, seed=0)
    assert least == 0


@pytest.mark.parametrize(
    ("samples", "settings", "message"),
    [
        (np.zeros((5, 10, 10, 1)), {}, "11 x 11 or more"),
        (np.zeros((5, 2)), {}, r"shape \(5, 2\): it must be images"),
        (np.zeros((1, 12, 12, 1)), {}, "2000 pairs of 1 images"),
        (np.zeros((5, 12, 12, 1)), {"pairs": 1}, "1 pairs"),
        (np.zeros((5, 12, 12, 1)), {"noise": -1.0}, "noise is -1.0"),
    ],
)
def test_bad_input(samples, settings, message):
    with pytest.raises(ValueError, match=message):
        ms_ssim_diversity(samples, np.zeros((5, 12, 12, 1)), seed=0, **settings)
