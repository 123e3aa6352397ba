"""Scores on the 1200-D mixture of Srivastava et al., VEEGAN (2017), section 4: noise on 700 dimensions only.

The paper's "within 10 std of the mean" cannot be the plain norm: a true sample lies sqrt(700) = 26 std away. So there
are two scores. By the plain one, real data have no modes. By the calibrated one, they have all modes and about 99.7 %
HQ.
"""

import gin
import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import chi

from bms_tf.metrics.energy import energy_distance, finite_rows
from bms_tf.metrics.mixture import kl_from_uniform


@gin.configurable
def high_dim_scores(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    centers: np.ndarray,
    noisy: int = 700,
    within: float = 10.0,
    tail: float = 0.00135,
    tolerance: float = 0.1,
) -> dict[str, float]:
    """Scores of samples against a mixture with N(0, 1) on the first `noisy` dimensions and none on the others.

    A sample belongs to the mode whose center is nearest in all dimensions.

    It sees lost modes, unequal ones, and samples off the modes. It does not see how varied the samples of a mode are,
    except through the energy distance: only their norms count.

    Args:
        samples: [N, D]. A sample that is not finite counts as not HQ and is left out of the energy distance.
        reference: [M, D], fresh points of the data.
        seed: of the energy distance's subsample.
        centers: [K, D].
        noisy: number of dimensions with noise.
        within: for the plain score, HQ is a norm of at most this.
        tail: for the calibrated score, HQ is a norm over the noisy dimensions between this quantile of the data's and
            the quantile 1 - this (of the chi distribution; 3 standard deviations leave 0.135 % on one side) ...
        tolerance: ... and a root mean square over the other dimensions of at most this. The data has 0 there; 0.1 is
            under half the smallest gap between two means (0.25), so that such a sample is not between modes.

    Returns:
        modes, hq_percent (in percent of all samples), mode_kl (nats; log K when no sample is HQ): calibrated.
        plain_modes, plain_hq_percent: with the plain norm.
        energy_distance: from the reference, see `energy`.

    Raises:
        ValueError: if the samples are not [N, D] with N > 0 and the centers' D.
    """
    samples, centers = np.asarray(samples, np.float64), np.asarray(centers, np.float64)
    if samples.ndim != 2 or not len(samples) or samples.shape[1] != centers.shape[1]:
        raise ValueError(f"samples of shape {samples.shape}: must be [N, {centers.shape[1]}] with N > 0")

    points = finite_rows(samples)
    mode = cdist(points, centers).argmin(axis=1)
    offsets = points - centers[mode]
    plain = np.linalg.norm(offsets, axis=1) <= within

    low, high = chi.ppf([tail, 1 - tail], noisy)
    norm = np.linalg.norm(offsets[:, :noisy], axis=1)
    rest = np.sqrt(np.mean(offsets[:, noisy:] ** 2, axis=1))
    calibrated = (low <= norm) & (norm <= high) & (rest <= tolerance)

    counts = np.bincount(mode[calibrated], minlength=len(centers))
    return {
        "modes": float(np.count_nonzero(counts)),
        "hq_percent": 100 * float(calibrated.sum()) / len(samples),
        "mode_kl": kl_from_uniform(counts),
        "plain_modes": float(len(np.unique(mode[plain]))),
        "plain_hq_percent": 100 * float(plain.sum()) / len(samples),
        "energy_distance": energy_distance(points, reference, seed=seed),
    }


high_dim_scores.needs = "values"
high_dim_scores.better = {"modes": "higher", "hq_percent": "higher", "mode_kl": "lower", "energy_distance": "lower"}
