"""The mixture scores against hand arithmetic and at their extremes."""

import math

import numpy as np
import pytest

from bms_tf.metrics.mixture import kl_from_uniform, mixture_scores

MEDIAN = math.sqrt(2 * math.log(2))  # the median distance from the mean of a standard 2-D Gaussian
RING = np.array([(math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)) for i in range(8)])


def gaussian_by_quantiles(n: int) -> np.ndarray:
    """[n, 2] points of a standard 2-D Gaussian, without chance: quantiles of the radius, turned by the golden angle."""
    radius = np.sqrt(-2 * np.log(1 - (np.arange(n) + 0.5) / n))
    angle = np.arange(n) * math.pi * (3 - math.sqrt(5))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def scores(samples, *, centers=RING, std=0.01, **kwargs):
    return mixture_scores(np.asarray(samples), centers, seed=0, centers=centers, std=std, **kwargs)


def test_by_hand_with_two_modes():
    # Mode 0 at (0, 0): distances 1, 2, 3 (HQ, the bound counts) and 4 (not). Mode 1 at (10, 0): twice 1. And one NaN.
    samples = [[1, 0], [0, 2], [-3, 0], [0, 4], [10, 1], [10, -1], [np.nan, 0]]
    result = scores(samples, centers=np.array([[0.0, 0.0], [10.0, 0.0]]), std=1.0)
    assert result["modes"] == 2
    assert result["hq_percent"] == pytest.approx(100 * 5 / 7)
    # HQ samples: 3 and 2. KL = 0.6 log(0.6 / 0.5) + 0.4 log(0.4 / 0.5).
    assert result["mode_kl"] == pytest.approx(0.6 * math.log(1.2) + 0.4 * math.log(0.8))
    # Median distances: 2.5 of (1, 2, 3, 4), and 1.
    assert result["std_ratio_min"] == pytest.approx(1 / MEDIAN)
    assert result["std_ratio_median"] == pytest.approx(1.75 / MEDIAN)
    assert result["std_ratio_max"] == pytest.approx(2.5 / MEDIAN)
    # Mode 1's two samples are a line: 0. Mode 0's HQ samples (1, 0), (0, 2), (-3, 0) have the means (-2/3, 2/3) and the
    # covariance [[13/3, 2/3], [2/3, 4/3]], whose smaller eigenvalue is 17/6 - sqrt((3/2)^2 + (2/3)^2). The data's
    # variance within 3 standard deviations is 1 - 4.5 / (e^4.5 - 1) = 0.9494.
    smaller = 17 / 6 - math.sqrt(2.25 + 4 / 9)
    assert result["minor_axis_ratio_min"] == pytest.approx(0, abs=1e-7)
    assert result["minor_axis_ratio_max"] == pytest.approx(math.sqrt(smaller / (1 - 4.5 / (math.exp(4.5) - 1))))


def test_a_perfect_sampler():
    samples = np.concatenate([center + 0.01 * gaussian_by_quantiles(1000) for center in RING])
    result = scores(samples)
    assert result["modes"] == 8
    # 1 - e^-4.5 = 0.98889 of 1000: the quantiles 0.5 to 988.5.
    assert result["hq_percent"] == pytest.approx(98.9)
    assert result["mode_kl"] == pytest.approx(0, abs=1e-12)
    for key in ("min", "median", "max"):
        assert result[f"std_ratio_{key}"] == pytest.approx(1, abs=0.002)
        assert result[f"minor_axis_ratio_{key}"] == pytest.approx(1, abs=0.01)


def test_narrow_and_squashed_modes_are_seen():
    half = np.concatenate([center + 0.005 * gaussian_by_quantiles(1000) for center in RING])
    # Half as wide: HQ within 6 standard deviations, all but 1.5e-8; the second ratio is over the cut-off data's
    # deviation.
    assert scores(half)["hq_percent"] == 100
    assert scores(half)["std_ratio_median"] == pytest.approx(0.5, abs=0.001)
    assert scores(half)["minor_axis_ratio_median"] == pytest.approx(0.5 / math.sqrt(0.9494), abs=0.005)
    # A tenth as wide along one oblique direction, which moves with the mode: the HQ samples along it are the whole
    # Gaussian.
    squash = np.array([[1.0, 0.0], [0.0, 0.1]]) @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    line = np.concatenate([center + 0.01 * gaussian_by_quantiles(1000) @ squash for center in RING])
    assert scores(line)["minor_axis_ratio_median"] == pytest.approx(0.1 / math.sqrt(0.9494), abs=0.003)


def test_everything_on_one_mode():
    result = scores(np.repeat(RING[:1], 50, axis=0))
    assert (result["modes"], result["hq_percent"]) == (1, 100)
    assert result["mode_kl"] == pytest.approx(math.log(8))
    assert result["std_ratio_max"] == result["minor_axis_ratio_max"] == 0
    # E|X - Y|: the centers lie at 2 sin(i pi / 8) from the first. E|Y - Y'| is the same sum over the other 7 of them.
    total = sum(2 * math.sin(i * math.pi / 8) for i in range(8))
    assert result["energy_distance"] == pytest.approx(2 * total / 8 - total / 7)


@pytest.mark.parametrize("value", [5.0, np.nan, np.inf, 3e38])
def test_no_sample_of_high_quality(value):
    result = scores(np.full((20, 2), value))
    assert (result["modes"], result["hq_percent"]) == (0, 0)
    assert result["mode_kl"] == pytest.approx(math.log(8))
    assert np.isnan(result["minor_axis_ratio_median"])
    assert np.isnan(result["std_ratio_median"]) == (not np.isfinite(value))


def test_kl_from_uniform_by_hand():
    assert kl_from_uniform(np.array([5, 5, 5])) == pytest.approx(0, abs=1e-15)
    assert kl_from_uniform(np.array([1, 0, 1, 0])) == pytest.approx(math.log(2))
    assert kl_from_uniform(np.array([0, 7])) == pytest.approx(math.log(2))
    assert kl_from_uniform(np.array([0, 0, 0])) == pytest.approx(math.log(3))


@pytest.mark.parametrize(
    ("samples", "std", "message"),
    [
        (np.zeros((3, 3)), 1.0, r"\(3, 3\).*\[N, 2\]"),
        (np.zeros((0, 2)), 1.0, r"\(0, 2\).*N > 0"),
        (np.zeros((3, 2)), 0.0, "std=0.0"),
    ],
)
def test_what_cannot_be_scored_is_named(samples, std, message):
    with pytest.raises(ValueError, match=message):
        scores(samples, std=std)
