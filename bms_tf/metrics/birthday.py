"""The size of a distribution's support by the birthday paradox (Arora, Risteski and Zhang, 2018)."""

from collections.abc import Iterator

import gin
import numpy as np
from sklearn.metrics import euclidean_distances

ROWS = 1000  # of a block of distances
MOST_PAIRS = 100_000


@gin.configurable
def birthday(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    within: float | None = None,
    quantile: float = 0.01,
    max_points: int = 5000,
    orders: int = 1000,
) -> dict[str, float]:
    """How many different samples there are, by how soon two samples of a batch are alike (Arora et al. 2018).

    The paper looks for duplicates by eye among the nearest pairs. Here two samples are alike if they are nearer to each
    other than real examples usually are. The floor says what this rule finds in the data.

    It sees samples that repeat a few kinds. It does not see whether these are like the data.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: of the subsamples and the orders.
        within: two samples are alike within this distance. None takes the `quantile` of the distances of real examples
            from their nearest others.
        quantile: in [0, 1].
        max_points: larger sets are subsampled to this many.
        orders: random orders in which the samples are drawn.

    Returns:
        birthday_batch: the batch size at which half of the batches have two samples that are alike. It is the median,
            over the orders, of how many are drawn until two are alike. Infinite (null in JSON) if no two are.
        birthday_support: how many equally likely kinds give this batch size b: b (b - 1) / (2 log 2), from the paper's
            theorem (365 for 23).

    Raises:
        ValueError: if either set has fewer than two examples, or the quantile is outside [0, 1].
    """
    if min(len(samples), len(reference)) < 2 or not 0 <= quantile <= 1:
        raise ValueError(
            f"{len(samples)} samples, {len(reference)} real examples, quantile {quantile}: at least two of each are "
            "needed, and a quantile in [0, 1]"
        )
    rng = np.random.default_rng(seed)
    chosen, real = (_shuffled(x, max_points, rng) for x in (samples, reference))
    if within is None:
        nearest = np.concatenate([squared.min(axis=1) for squared in _to_others(real)])
        within = float(np.quantile(np.sqrt(nearest), quantile))
    # Equal rows have a distance of 0 but for rounding.
    limit = within**2 + 1e-12 * np.square(chosen).sum(axis=1).max()
    alike = np.triu(np.concatenate([squared <= limit for squared in _to_others(chosen)]))
    while np.count_nonzero(alike) > MOST_PAIRS:  # two of them are met long before half of the samples are drawn
        alike = alike[: len(alike) // 2, : len(alike) // 2]
    a, b = np.nonzero(alike)
    if not len(a):
        return {"birthday_batch": np.inf, "birthday_support": np.inf}
    drawn = []
    for _ in range(orders):
        place = rng.permutation(len(alike)) + 1
        drawn.append(np.maximum(place[a], place[b]).min())
    batch = float(np.median(drawn))
    return {"birthday_batch": batch, "birthday_support": batch * (batch - 1) / (2 * np.log(2))}


def _shuffled(features: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the features [N, F], in a random order."""
    return np.asarray(features[rng.permutation(len(features))[:most]], np.float64)


def _to_others(features: np.ndarray) -> Iterator[np.ndarray]:
    """The squared distances of all rows to all others, block by block; to itself a row's is infinite."""
    for start in range(0, len(features), ROWS):
        squared = euclidean_distances(features[start : start + ROWS], features, squared=True)
        own = np.arange(len(squared))
        squared[own, start + own] = np.inf
        yield squared
