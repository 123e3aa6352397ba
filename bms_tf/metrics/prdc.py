"""Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020), by nearest neighbors.

The data's manifold is the union of balls around the real examples. A ball's radius is the distance to the k-th
neighbor.
"""

import gin
import numpy as np
from sklearn.metrics import euclidean_distances

ROWS = 2048  # of a block of distances


def _parts(features: np.ndarray) -> list[tuple[slice, np.ndarray]]:
    """Views of the rows, block by block."""
    return [(slice(i, min(i + ROWS, len(features))), features[i : i + ROWS]) for i in range(0, len(features), ROWS)]


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances of two blocks, in float64."""
    return euclidean_distances(np.asarray(a, np.float64), np.asarray(b, np.float64), squared=True)


def squared_radii(features: np.ndarray, neighbors: tuple[int, ...]) -> np.ndarray:
    """For each of the features [N, F] the squared distances [N, len(neighbors)] to its k-th nearest others."""
    most = max(neighbors)
    if len(features) <= most:
        raise ValueError(f"{len(features)} examples have no {most} nearest others; {most + 1} or more are needed")
    nearest = np.full((len(features), most), np.inf)

    def note(rows: slice, squared: np.ndarray) -> None:
        if squared.shape[1] > most:
            squared = np.partition(squared, most - 1, axis=1)[:, :most]
        nearest[rows] = np.partition(np.hstack([nearest[rows], squared]), most - 1, axis=1)[:, :most]

    parts = _parts(features)
    for i, (rows, a) in enumerate(parts):
        for columns, b in parts[i:]:  # each pair of blocks once
            squared = _squared(a, b)
            if rows == columns:
                np.fill_diagonal(squared, np.inf)
            else:
                note(columns, squared.T)
            note(rows, squared)
    return np.sort(nearest, axis=1)[:, [k - 1 for k in neighbors]]


def manifold_scores(
    samples: np.ndarray, reference: np.ndarray, *, k: int | None = None, k_density: int | None = None
) -> dict[str, float]:
    """Precision and recall at `k`, and density and coverage at `k_density`; None leaves a pair out."""
    wanted = tuple(number for number in (k, k_density) if number is not None)
    if min(wanted) < 1:
        raise ValueError(f"{min(wanted)} neighbors: there must be at least 1")
    of_real = dict(zip(wanted, squared_radii(reference, wanted).T))
    of_samples = np.zeros(0) if k is None else squared_radii(samples, (k,))[:, 0]

    realistic = np.zeros(len(samples), bool)  # a sample in any ball of real examples
    reached = np.zeros(len(reference), bool)  # a real example in any ball of samples
    covered = np.zeros(len(reference), bool)  # a real example with a sample in its ball
    balls = 0  # pairs of a sample and a ball of real examples that it is in
    for rows, a in _parts(reference):
        for columns, b in _parts(samples):
            squared = _squared(a, b)
            if k is not None:
                realistic[columns] |= (squared <= of_real[k][rows, None]).any(axis=0)
                reached[rows] |= (squared <= of_samples[columns]).any(axis=1)
            if k_density is not None:
                inside = squared <= of_real[k_density][rows, None]
                covered[rows] |= inside.any(axis=1)
                balls += np.count_nonzero(inside)

    scores = {}
    if k is not None:
        scores |= {"precision": realistic.mean(), "recall": reached.mean()}
    if k_density is not None:
        scores |= {
            "density": balls / (k_density * len(samples)),
            "coverage": covered.mean(),
            "coverage_expected": expected_coverage(len(samples), len(reference), k_density),
        }
    return {name: float(value) for name, value in scores.items()}


def expected_coverage(n_samples: int, n_real: int, k: int) -> float:
    """What a perfect model's coverage is on average: 1 - prod_{i=1..k} (n_real - i) / (n_real + n_samples - i)."""
    i = np.arange(1, k + 1)
    return float(1 - np.prod((n_real - i) / (n_real + n_samples - i)))


@gin.configurable
def precision_recall(samples: np.ndarray, reference: np.ndarray, *, seed: int, k: int = 3) -> dict[str, float]:
    """How many samples lie among the data, and how much of the data among the samples (Kynkaanniemi et al. 2019).

    It sees samples far from all data, and data far from all samples. It does not see wrong shares of modes, or what
    lies in the wide balls around outliers.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: not used: nothing here is random.
        k: neighbors; the paper's 3.

    Returns:
        precision: the share of samples within the ball of any real example, which reaches to its k-th nearest other.
        recall: the share of real examples within the ball of any sample.

    Raises:
        ValueError: if a set has k examples or fewer.
    """
    return manifold_scores(samples, reference, k=k)


precision_recall.better = {"precision": "higher", "recall": "higher"}


@gin.configurable
def density_coverage(samples: np.ndarray, reference: np.ndarray, *, seed: int, k: int = 5) -> dict[str, float]:
    """Like precision and recall, but robust to outliers on either side (Naeem et al. 2020).

    It sees data without samples near them, and samples outside of the data. It does not see wrong shares of modes, as
    long as each has samples enough to cover it.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: not used: nothing here is random.
        k: neighbors; the paper's 5.

    Returns:
        density: in how many real examples' balls a sample lies, divided by k. The data have 1 on average. Samples near
            the peaks of the data have more.
        coverage: the share of real examples with a sample in their ball; coverage_expected: its mean for a perfect
            model, which only depends on N, M and k.

    Raises:
        ValueError: if there are k real examples or fewer.
    """
    return manifold_scores(samples, reference, k_density=k)


density_coverage.better = {"coverage": "higher"}


@gin.configurable
def prdc(samples: np.ndarray, reference: np.ndarray, *, seed: int, k: int = 3, k_density: int = 5) -> dict[str, float]:
    """`precision_recall` and `density_coverage` from one set of distances.

    It sees samples far from the data, and data far from the samples. It does not see wrong shares of modes, as long as
    each has samples enough to cover it.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: not used: nothing here is random.
        k: neighbors for precision and recall.
        k_density: neighbors for density and coverage.

    Returns:
        precision, recall, density, coverage, coverage_expected.

    Raises:
        ValueError: if a set does not have more examples than neighbors.
    """
    return manifold_scores(samples, reference, k=k, k_density=k_density)


prdc.better = {"precision": "higher", "recall": "higher", "coverage": "higher"}
