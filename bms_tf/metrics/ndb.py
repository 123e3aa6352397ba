"""Number of statistically different bins (Richardson and Weiss, On GANs and GMMs, 2018)."""

import gin
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm
from sklearn.cluster import KMeans


@gin.configurable
def ndb(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, bins: int = 100, significance: float = 0.05
) -> dict[str, float | Figure]:
    """In how many clusters of the data there are too many or too few samples (Richardson and Weiss 2018).

    It sees regions of the data with too many or too few samples. It does not see how samples lie within a bin: one that
    is far from all data counts for its nearest bin.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: of the clustering.
        bins: the number of K-means clusters of the reference.
        significance: the level of the two-sample test of a bin's proportions.

    Returns:
        ndb: the number of bins in which the proportions differ significantly; ndb_share: their share of all bins. Equal
            distributions have about `significance`, and a little more, since the bins were fitted to the reference.
        ndb_js: Jensen-Shannon divergence between the two histograms over the bins, in nats, in [0, log 2].
        bins: a picture of both histograms.

    Raises:
        ValueError: for fewer real examples than 10 to a bin, or values out of range.
    """
    if bins < 2 or not 0 < significance < 1:
        raise ValueError(f"{bins} bins at significance {significance}: at least 2, and a value in (0, 1)")
    if len(reference) < 10 * bins:
        raise ValueError(f"{len(reference)} real examples for {bins} bins; {10 * bins} or more are needed")
    clusters = KMeans(bins, n_init=1, random_state=seed).fit(reference)  # pyright: ignore[reportArgumentType], untyped
    both = np.asarray(clusters.labels_), clusters.predict(samples)
    p, q = (np.bincount(labels, minlength=bins) / len(labels) for labels in both)
    n, m = len(reference), len(samples)
    pooled = (n * p + m * q) / (n + m)
    z = (q - p) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    different = np.abs(z) > norm.ppf(1 - significance / 2)
    return {
        "ndb": float(different.sum()),
        "ndb_share": float(different.mean()),
        "ndb_js": float((_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2),
        "bins": _histograms(p, q, different),
    }


ndb.better = {"ndb": "lower", "ndb_share": "lower", "ndb_js": "lower"}


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0  # 0 log 0 = 0
    return np.sum(p[some] * np.log(p[some] / q[some]))


def _histograms(p: np.ndarray, q: np.ndarray, different: np.ndarray) -> Figure:
    order = np.argsort(-p)
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(p))
    axes.bar(places, 100 * p[order], color="lightgray", width=1.0, label="data")
    for chosen, color, label in (
        (~different, "tab:blue", "samples"),
        (different, "tab:red", "samples, significantly different"),
    ):
        shown = chosen[order]
        axes.plot(places[shown], 100 * q[order][shown], ".", color=color, label=label)
    axes.set(xlabel="clusters of the data, the largest first", ylabel="share in %")
    axes.set_title(f"{different.sum()} of {len(p)} clusters have too many or too few samples")
    axes.legend()
    return figure
