"""Codes of q(z) for estimators that are fitted to draws: some to fit, and those of other data to judge."""

import numpy as np

from bms_tf.core.examples import Rows, rows_of
from bms_tf.core.model import Model
from bms_tf.metrics.aggregate_posterior import AggregatePosterior


def split_codes(
    model: Model, data: np.ndarray | Rows, *, seed: int, codes: int, noise: float
) -> tuple[np.ndarray, np.ndarray, AggregatePosterior]:
    """Codes of a random half of the data and of the other half.

    By halves of the data, as an estimator that is judged by codes of the same data could learn these by heart.

    Args:
        model: with any encoder.
        data: [N, ...].
        seed: of the halves and the codes.
        codes: of each half.
        noise: see `AggregatePosterior`.

    Returns:
        Codes [codes, Z] of one half, codes [codes, Z] of the other, and the q(z) of that one.

    Raises:
        ValueError: for fewer than two codes or data.
    """
    if codes < 2 or len(data) < 2:
        raise ValueError(f"{codes} codes of {len(data)} data; at least 2 of each are needed")
    order = np.random.default_rng(seed).permutation(len(data))
    halves = (rows_of(data).taken(half) for half in np.array_split(order, 2))
    first, second = (AggregatePosterior(model, half, noise=noise, seed=seed) for half in halves)
    return first.sample(codes, seed)[0], second.sample(codes, seed + 1)[0], second
