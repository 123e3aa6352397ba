"""Vendi score (Friedman and Dieng, The Vendi Score, 2023): the effective number of different samples."""

import gin
import numpy as np

ROWS = 4096  # in float64 at a time


@gin.configurable
def vendi(samples: np.ndarray, reference: np.ndarray, *, seed: int) -> dict[str, float]:
    """The effective number of different samples, in [1, N], by the cosine of their features (Friedman and Dieng 2023).

    It is exp of the entropy of the eigenvalues of K / N, where K has the cosines of all pairs. It is N for samples that
    are all orthogonal to each other, and 1 for equal ones. The floor is the score of as many real examples, which
    diverse samples reach.

    It sees how many different samples there are in the features. It does not see whether they are like the data.

    Args:
        samples: features [N, F].
        reference: not used.
        seed: not used: nothing here is random.

    Returns:
        vendi.

    Raises:
        ValueError: for a row of zeros, which has no direction.
    """
    count, size = samples.shape
    norms = np.concatenate(
        [np.linalg.norm(np.asarray(samples[i : i + ROWS], np.float64), axis=1) for i in range(0, count, ROWS)]
    )
    if not norms.all():
        raise ValueError(f"{np.count_nonzero(norms == 0)} of {count} samples have features that are all zero")
    if count <= size:
        unit = np.asarray(samples, np.float64) / norms[:, None]
        gram = unit @ unit.T
    else:  # which has the same eigenvalues but for zeros
        gram = np.zeros((size, size))
        for i in range(0, count, ROWS):
            unit = np.asarray(samples[i : i + ROWS], np.float64) / norms[i : i + ROWS, None]
            gram += unit.T @ unit
    shares = np.linalg.eigvalsh(gram / count)
    shares = shares[shares > 1e-15]  # 0 log 0 = 0
    return {"vendi": float(np.exp(-np.sum(shares * np.log(shares))))}
