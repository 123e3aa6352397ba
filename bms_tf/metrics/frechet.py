"""Frechet distance between two sets of features (Heusel et al., 2017, eq. 6; FID only with Inception's features)."""

import numpy as np


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), for the means m and covariances C of the two sets.

    Args:
        features_a, features_b: [N, F] and [M, F], finite, N and M at least 2. Computed in float64.

    Returns:
        The distance, at least 0 (up to rounding), in squared units of the features.

    Raises:
        ValueError: if the sets do not have the same F, or have fewer than two rows.
    """
    a, b = np.asarray(features_a, np.float64), np.asarray(features_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"features of shapes {a.shape} and {b.shape}: must be [N, F] and [M, F], N and M at least 2")
    covariance_a, covariance_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))

    # C_a C_b has the eigenvalues of the symmetric A C_b A with A = C_a^(1/2), and eigh is fast and exact on those.
    # Rounding may make a zero eigenvalue negative, hence the clips.
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(0)).sum()

    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(shift @ shift + np.trace(covariance_a) + np.trace(covariance_b) - 2 * trace_of_root)
