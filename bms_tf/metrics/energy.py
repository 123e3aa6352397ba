"""Energy distance between two sets of points (Szekely and Rizzo, "Energy statistics", 2013)."""

import numpy as np
from sklearn.metrics import euclidean_distances


def finite_rows(array: np.ndarray) -> np.ndarray:
    """The rows of [N, ...] that hold no NaN or infinity, as float64."""
    array = np.asarray(array, np.float64)
    return array[np.isfinite(array).all(axis=tuple(range(1, array.ndim)))]


def energy_distance(a: np.ndarray, b: np.ndarray, *, seed: int, max_points: int = 4000) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, in the unit of the data; 0 if and only if the two distributions are the same.

    The U-statistic: a pair is of two different points, so that the expectation is 0 for equal distributions whatever
    the number of points, and a single value may be slightly negative. (`scipy.stats.energy_distance` is the root of the
    V-statistic, in 1-D.)

    Args:
        a, b: [N, D] and [M, D]. Rows that are not finite are left out.
        seed: of the subsample.
        max_points: larger sets are subsampled to this many points; memory and time go with its square.

    Returns:
        The distance; NaN if a set has fewer than two finite points.
    """
    rng = np.random.default_rng(seed)
    a, b = (x if len(x) <= max_points else rng.choice(x, max_points, replace=False) for x in map(finite_rows, (a, b)))
    if min(len(a), len(b)) < 2:
        return float("nan")
    within = sum(euclidean_distances(x).sum() / (len(x) * (len(x) - 1)) for x in (a, b))
    return float(2 * euclidean_distances(a, b).mean() - within)
