"""The 1200-D scores: real data under both forms, and each way to miss."""

import math

import numpy as np
import pytest
from scipy.stats import chi

from bms_tf.metrics.high_dim import high_dim_scores

MEANS = (-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5)
CENTERS = np.repeat(np.array(MEANS)[:, None], 1200, axis=1)


def real(n: int) -> np.ndarray:
    """Data whose norms over the noisy dimensions are the quantiles of the true ones, modes in turn, [n, 1200]."""
    noise = np.random.default_rng(0).normal(size=(n, 700))
    norm = chi.ppf((np.arange(n) + 0.5) / n, 700)
    noise *= norm[:, None] / np.linalg.norm(noise, axis=1, keepdims=True)
    return CENTERS[np.arange(n) % 10] + np.pad(noise, [(0, 0), (0, 500)])


def scores(samples):
    return high_dim_scores(samples, real(100), seed=0, centers=CENTERS)


def test_real_data_under_both_forms():
    result = scores(real(2000))
    # Of the quantiles (i + 0.5) / 2000, the three below 0.00135 and the three above 0.99865 are out: 1994 of 2000.
    # Every mode loses none or one (the modes 0, 1, 2 and 7, 8, 9): six counts of 199 and four of 200.
    assert (result["modes"], result["hq_percent"]) == (10, pytest.approx(99.7))
    kl = 6 * 199 / 1994 * math.log(1990 / 1994) + 4 * 200 / 1994 * math.log(2000 / 1994)
    assert result["mode_kl"] == pytest.approx(kl)
    # A norm under 10, where the mean is 26.4 and the deviation 0.7, does not happen.
    assert (result["plain_modes"], result["plain_hq_percent"]) == (0, 0)


def test_the_plain_norm_rewards_what_is_not_the_data():
    result = scores(CENTERS.repeat(3, axis=0))
    assert (result["plain_modes"], result["plain_hq_percent"]) == (10, 100)
    assert (result["modes"], result["hq_percent"]) == (0, 0)
    assert result["mode_kl"] == pytest.approx(math.log(10))


def test_each_condition_of_the_calibrated_form():
    sample = real(1000)[500:501]  # mode 0, norm at the median
    assert scores(sample)["hq_percent"] == 100
    off = sample.copy()
    off[:, 700:] += 0.11  # its root mean square over the 500
    assert scores(off)["hq_percent"] == 0
    off[:, 700:] -= 0.02
    assert scores(off)["hq_percent"] == 100
    # The quantiles of the norm are about 26.45 +- 3 * 0.707: a scale of 0.9 or 1.1 leaves them.
    for scale in (0.9, 1.1):
        assert scores(CENTERS[0] + scale * (sample - CENTERS[0]))["hq_percent"] == 0


def test_samples_that_are_not_finite_are_not_hq():
    samples = real(10)
    samples[:5, 3] = np.nan
    assert scores(samples)["hq_percent"] == pytest.approx(50)
    result = scores(np.full((4, 1200), np.inf))
    assert (result["modes"], result["plain_modes"], result["hq_percent"]) == (0, 0, 0)
    assert np.isnan(result["energy_distance"])


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(3, 2\).*\[N, 1200\]"):
        scores(np.zeros((3, 2)))
