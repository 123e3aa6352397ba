"""Scores on mixtures of Gaussians with known centers: modes found, samples of high quality, and how wide the modes are.

Modes and HQ after Srivastava et al., VEEGAN (2017), section 4. HQ rewards modes that are narrower than the data's, so
the standard deviation ratios and the energy distance stand beside it.
"""

import gin
import numpy as np
from scipy.spatial.distance import cdist

from bms_tf.metrics.energy import energy_distance, finite_rows


def kl_from_uniform(counts: np.ndarray) -> float:
    """KL(histogram || uniform) in nats, in [0, log K], for counts [K]. No counts score log K, as one full bin does."""
    if not counts.sum():
        return float(np.log(len(counts)))
    share = counts[counts > 0] / counts.sum()  # 0 log 0 = 0
    return float(np.sum(share * np.log(share * len(counts))))


def _minor_axis_ratio(good: np.ndarray, std: float, within: float) -> float:
    """Deviation of a mode's HQ samples [N, 2] along their smaller principal axis, over the data's; NaN if N < 2."""
    if len(good) < 2:
        return float("nan")
    # A standard 2-D Gaussian cut off at radius w has a variance of 1 - (w^2 / 2) / (e^(w^2 / 2) - 1) along each axis.
    half = within**2 / 2
    cut_off = np.sqrt(1 - half / np.expm1(half))
    smaller = np.linalg.eigvalsh(np.cov(good, rowvar=False))[0].clip(0)  # ascending
    return float(np.sqrt(smaller) / (std * cut_off))


def _summary(name: str, ratios: list[float]) -> dict[str, float]:
    known = [ratio for ratio in ratios if not np.isnan(ratio)] or [np.nan]
    functions = {"min": np.min, "median": np.median, "max": np.max}
    return {f"{name}_{key}": float(function(known)) for key, function in functions.items()}


@gin.configurable
def mixture_scores(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    centers: np.ndarray,
    std: float,
    within: float = 3.0,
) -> dict[str, float]:
    """Scores of 2-D samples against a mixture with equal weights.

    It sees lost and unequal modes, samples off the modes, and modes that are too narrow or too wide. It does not see
    any other shape of a mode, except through the energy distance.

    Args:
        samples: [N, 2]. A sample that is not finite counts as not HQ and is left out of the other scores.
        reference: [M, 2], fresh points of the data.
        seed: of the energy distance's subsample.
        centers: [K, 2], the modes.
        std: standard deviation of a mode.
        within: a sample is HQ (of high quality) within this many std of its nearest center.

    Returns:
        modes: how many modes are the nearest one to at least one HQ sample.
        hq_percent: HQ samples in percent of all. The data have 100 (1 - exp(-within^2 / 2)), which is 98.89.
        mode_kl: KL of the histogram of HQ samples over modes from uniform, in nats; log K when no sample is HQ.
        std_ratio_min, _median, _max: over modes, the width of a mode divided by that of the data, std * sqrt(2 ln 2).
            The width is the median distance from its center of all samples that are nearest to it. The data have 1.00.
            Modes without samples are left out; NaN if all are.
        minor_axis_ratio_min, _median, _max: over modes, the standard deviation of the HQ samples along their smaller
            principal axis, divided by that of the data's HQ samples. It is near 0 for a mode squashed to a line. The
            data have 1.00 with many samples. They have less with few, because the smaller of two noisy axes is taken.
            Modes with fewer than two HQ samples are left out.
        energy_distance: from the reference, see `energy`.

    Raises:
        ValueError: if the samples are not [N, D] with N > 0 and the centers' D, or std or within are not positive.
    """
    samples, centers = np.asarray(samples, np.float64), np.asarray(centers, np.float64)
    if samples.ndim != 2 or not len(samples) or samples.shape[1] != centers.shape[1]:
        raise ValueError(f"samples of shape {samples.shape}: must be [N, {centers.shape[1]}] with N > 0")
    if std <= 0:
        raise ValueError(f"std={std}: must be positive")
    if not 0 < within < np.inf:
        raise ValueError(f"within={within}: must be positive and finite")

    points = finite_rows(samples)
    distances = cdist(points, centers)
    mode, distance = distances.argmin(axis=1), distances.min(axis=1)
    good = distance <= within * std
    counts = np.bincount(mode[good], minlength=len(centers))

    found = np.unique(mode)
    ratios = [np.median(distance[mode == k]) / (std * np.sqrt(2 * np.log(2))) for k in found]
    minor = [_minor_axis_ratio(points[good & (mode == k)], std, within) for k in found]
    return {
        "modes": float(np.count_nonzero(counts)),
        "hq_percent": 100 * float(good.sum()) / len(samples),
        "mode_kl": kl_from_uniform(counts),
        **_summary("std_ratio", ratios),
        **_summary("minor_axis_ratio", minor),
        "energy_distance": energy_distance(points, reference, seed=seed),
    }


mixture_scores.needs = "values"
mixture_scores.better = {"modes": "higher", "hq_percent": "higher", "mode_kl": "lower", "energy_distance": "lower"}
