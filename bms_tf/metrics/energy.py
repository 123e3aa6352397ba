"""Energy distance between two sets of points (Szekely and Rizzo, "Energy statistics", 2013)."""

from collections.abc import Iterator

import gin
import numpy as np
from sklearn.metrics import euclidean_distances

from bms_tf.core.examples import Rows

ROWS = 1000


def finite_places(examples: np.ndarray | Rows) -> np.ndarray:
    """Which of the examples [N, ...] hold no NaN or infinity, ascending."""
    parts = (examples[i : i + ROWS] for i in range(0, len(examples), ROWS))
    finite = [np.isfinite(part).all(axis=tuple(range(1, part.ndim))) for part in parts]
    return np.flatnonzero(np.concatenate([np.zeros(0, bool), *finite]))


def finite_rows(array: np.ndarray) -> np.ndarray:
    """The rows of [N, ...] that hold no NaN or infinity."""
    array = np.asarray(array)
    places = finite_places(array)
    return array if len(places) == len(array) else array[places]


def finite_parts(examples: np.ndarray) -> Iterator[np.ndarray]:
    """`finite_rows` of examples [N, ...], in arrays of few rows each; examples that are no array need only slices."""
    parts = (finite_rows(examples[i : i + ROWS]) for i in range(0, len(examples), ROWS))
    return (part for part in parts if len(part))


def energy_distance(a: np.ndarray | Rows, b: np.ndarray | Rows, *, seed: int, max_points: int = 4000) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, in the unit of the data; 0 if and only if the two distributions are the same.

    This is the U-statistic: a pair has two different points. So the expectation is 0 for equal distributions with any
    number of points, and a single value may be slightly negative. (`scipy.stats.energy_distance` is the root of the
    V-statistic, in 1-D.)

    Args:
        a: [N, ...], taken as vectors. Those that are not finite are left out.
        b: [M, ...], the same.
        seed: of the subsample.
        max_points: larger sets are subsampled to this many points. Memory and time grow with its square.

    Returns:
        The distance; NaN if a set has fewer than two finite points.
    """
    rng = np.random.default_rng(seed)
    finite = [(x, finite_places(x)) for x in (a, b)]
    if min(len(places) for _, places in finite) < 2:
        return float("nan")
    chosen = [(x, p if len(p) <= max_points else rng.choice(p, max_points, replace=False)) for x, p in finite]
    a, b = (np.asarray(x[places], np.float64).reshape(len(places), -1) for x, places in chosen)
    within = sum(euclidean_distances(x).sum() / (len(x) * (len(x) - 1)) for x in (a, b))
    return float(2 * euclidean_distances(a, b).mean() - within)


@gin.configurable
def energy(samples: np.ndarray, reference: np.ndarray, *, seed: int, max_points: int = 4000) -> dict[str, float]:
    """Energy distance of features; 0 if and only if the distributions are the same (Szekely and Rizzo 2013).

    It sees any difference between the two distributions, given enough samples. It does not see which one: lost modes
    and shifted ones can have the same score.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: of the subsample.
        max_points: larger sets are subsampled to this many.

    Returns:
        energy_distance.
    """
    return {"energy_distance": energy_distance(samples, reference, seed=seed, max_points=max_points)}


energy.better = {"energy_distance": "lower"}
