"""Frechet distance between two sets of features (Heusel et al., 2017, eq. 6; FID only with Inception's features)."""

import gin
import numpy as np
import scipy.linalg

from bms_tf.metrics.kept import kept

ROWS = 4096  # in float64 at a time


@kept
def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [F] and covariance [F, F] of features [N, F], N at least 2, in float64 and never all at once."""
    parts = range(0, len(features), ROWS)
    zero = np.zeros(())
    mean = sum((np.sum(features[i : i + ROWS], axis=0, dtype=np.float64) for i in parts), zero) / len(features)
    centered = (np.asarray(features[i : i + ROWS], np.float64) - mean for i in parts)
    return mean, sum((part.T @ part for part in centered), zero) / (len(features) - 1)


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), for the means m and covariances C of the two sets.

    Args:
        features_a: [N, F], finite, N at least 2. Computed in float64.
        features_b: [M, F], the same.

    Returns:
        The distance, at least 0 (up to rounding), in squared units of the features.

    Raises:
        ValueError: if the sets do not have the same F, or have fewer than two rows.
    """
    shapes = np.shape(features_a), np.shape(features_b)
    if any(len(shape) != 2 or shape[0] < 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"features of shapes {shapes[0]} and {shapes[1]}: must be [N, F] and [M, F], N and M at least 2"
        )
    (mean_a, covariance_a), (mean_b, covariance_b) = moments(features_a), moments(features_b)

    # C_a C_b has the eigenvalues of the symmetric R C_b R' for any R with C_a = R' R. Rounding may make a zero one
    # negative.
    root = _root(covariance_a)
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root.T).clip(0)).sum()

    shift = mean_a - mean_b
    return float(shift @ shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * trace_of_root)


def _root(covariance: np.ndarray) -> np.ndarray:
    """R [rank, F] with R' R = C, by Cholesky's decomposition with pivots, which a C of less than full rank has too."""
    tolerance = np.finfo(np.float64).eps * covariance.diagonal().max()
    upper, pivots, rank, _ = scipy.linalg.lapack.dpstrf(covariance, tol=tolerance)  # pyright: ignore[reportAttributeAccessIssue], compiled
    root = np.empty((rank, len(covariance)))
    root[:, pivots - 1] = np.triu(upper)[:rank]
    return root


@gin.configurable
def frechet(samples: np.ndarray, reference: np.ndarray, *, seed: int) -> dict[str, float]:
    """Frechet distance of features: FID for those of the Inception graph (Heusel et al. 2017), FD-DINOv2 for DINOv2's.

    It sees differences of the features' means and covariances. It does not see other differences, whether fidelity or
    diversity is lacking, or samples learnt by heart.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: not used: nothing here is random.

    Returns:
        frechet_distance: see `frechet_distance`. It falls as N and M grow, so compare only values with equal N and M.

    Raises:
        ValueError: if there are not more examples than features: a covariance would not have full rank.
    """
    for what, rows in {"samples": samples, "real examples": reference}.items():
        if len(rows) <= rows.shape[1]:
            raise ValueError(f"{len(rows)} {what} for {rows.shape[1]} features; {rows.shape[1] + 1} or more are needed")
    return {"frechet_distance": frechet_distance(samples, reference)}


frechet.better = {"frechet_distance": "lower"}
