"""Codes that are likely under the prior and not under q(z), and what the generator makes of them."""

import math

import gin
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.stats import chi2
from sklearn.manifold import TSNE

from bms_tf.core.examples import Rows, gathered, rows_of
from bms_tf.core.model import Model
from bms_tf.metrics.aggregate_posterior import LOG_2_PI, AggregatePosterior
from bms_tf.metrics.batches import SIZE, required
from bms_tf.metrics.drawing import grid
from bms_tf.metrics.energy import energy_distance
from bms_tf.metrics.marginal_kl import histograms

COLUMNS, ROWS = 8, 4
NUMBERS = 2**25  # of either set in the energy distance at a time, in float64


@gin.configurable
def low_posterior(
    model: Model,
    reference: np.ndarray,
    *,
    seed: int,
    codes: int = 10_000,
    noise: float = 0.0,
    level: float = 0.01,
    margin: float = 0.0,
    embedded: int = 1000,
    perplexity: float = 30.0,
) -> dict[str, float | Figure]:
    """Prior codes that q(z) misses, by a threshold that is the same for all methods, and the samples that they give.

    It follows Rosca et al. 2018, algorithm 1 and appendix A, and Bhattacharyya et al. 2019, table 3, who do not state
    their threshold. Here it is the density of the prior itself at the radius beyond which a share `level` of the prior
    lies. This number only depends on the size of the code. A code of the prior is *likely* if log p(z) is at least the
    threshold. It is *low* if it is likely and log q(z) is less than the threshold minus `margin`. If q(z) is the prior,
    no code is low.

    It sees holes in q(z): codes that the prior draws and no example has. It does not see codes of the data where the
    prior has no mass.

    Args:
        model: with `generate`, `sample_prior` and an encoder, which must have a density if there is no noise.
        reference: the data [N, ...]. q(z) is the mixture over all of it.
        seed: of all draws.
        codes: how many codes of the prior are looked at.
        noise: standard deviation of the noise on all codes, see `AggregatePosterior`. The samples are of the codes
            without it.
        level: sets the threshold, see above; in (0, 1).
        margin: in nats, at least 0. In many dimensions q(z) may be far too thin everywhere. Then a margin, the same for
            all methods, tells them apart.
        embedded: how many codes of the prior, and as many of q(z), t-SNE embeds in the plane; 0 for none.
        perplexity: of t-SNE.

    Returns:
        low_posterior_percent: low codes, in percent of the likely ones.
        low_posterior_threshold: log q(z) of a low code is under this, in nats.
        reverse_kl: KL[p(z) || q(z)] by these codes, in nats, and reverse_kl_std, its standard error. It says how far
            q(z) misses the prior's mass, without a threshold.
        low_posterior_percent_matched, reverse_kl_matched: with noise, the same for N codes that are draws of the prior.
            A deterministic encoder has these values at best.
        prior_energy, low_posterior_energy: the energy distance from the reference of samples of all likely codes, and
            of the low ones (NaN if there are fewer than two). They say whether low codes give worse samples. Each is of
            up to 4,000 samples, or as many as have 2^25 numbers together.
        low_posterior_codes: t-SNE of codes: of q(z), of the prior, and the low ones among these.
        low_posterior_samples: samples of likely codes, and of those low codes with the lowest q(z); only for points in
            the plane and images.
        low_posterior_kl: if the encoder has a density, histograms of KL[q(z|x) || p(z)] for the data and for the
            samples of low codes.

    Raises:
        ValueError: for a value out of range, or a model that lacks what is needed.
    """
    generate, _ = required(model, "low_posterior", "generate", "sample_prior")
    if not 0 < level < 1 or margin < 0 or codes < 2 or embedded < 0:
        raise ValueError(
            f"low_posterior: level {level}, margin {margin}, codes {codes}, embedded {embedded}; level must lie in "
            "(0, 1), margin and embedded be at least 0, codes at least 2"
        )
    q = AggregatePosterior(model, reference, noise=noise, seed=seed)
    clean, z = q.sample_prior(codes, seed)
    log_q, log_p = q.log_prob(z), q.log_prior(z)
    size = z.shape[1]
    threshold = -0.5 * (chi2.ppf(1 - level, size) + size * (LOG_2_PI + math.log(q.variance)))
    likely = log_p >= threshold
    low = likely & (log_q < threshold - margin)
    batches = (tf.constant(clean[i : i + SIZE], tf.float32) for i in range(0, codes, SIZE))
    samples = rows_of(gathered(generate(batch).numpy() for batch in batches))
    of_likely, of_lowest = samples.taken(likely), samples.taken(np.flatnonzero(low)[np.argsort(log_q[low])])
    max_points = max(2, min(4000, NUMBERS // math.prod(samples.shape[1:])))
    gap = log_p - log_q

    def energy(of: Rows) -> float:
        return energy_distance(of, q.data, seed=seed, max_points=max_points)

    result: dict[str, float | Figure] = {
        "low_posterior_percent": _percent(low, likely),
        "low_posterior_threshold": float(threshold - margin),
        "reverse_kl": float(gap.mean()),
        "reverse_kl_std": float(gap.std(ddof=1) / math.sqrt(codes)),
        "prior_energy": energy(of_likely),
        "low_posterior_energy": energy(of_lowest),
    }
    if noise:
        of_matched = q.matched(seed + 1).log_prob(z)
        result["low_posterior_percent_matched"] = _percent(likely & (of_matched < threshold - margin), likely)
        result["reverse_kl_matched"] = float(np.mean(log_p - of_matched))
    if embedded:
        of_data, _ = q.sample(embedded, seed)
        result["low_posterior_codes"] = _embedding(of_data, z[:embedded], low[:embedded], perplexity, seed)
    shown = _shown(of_likely, of_lowest)
    if shown is not None:
        result["low_posterior_samples"] = shown
    if q.has_density and len(of_lowest):
        q_of_lowest = AggregatePosterior(model, of_lowest, noise=noise, seed=seed)
        groups = {"data": q.kl_per_datum(seed), "samples of low codes": q_of_lowest.kl_per_datum(seed)}
        result["low_posterior_kl"] = histograms(groups, "KL[q(z|x) || p(z)] of each x, in nats")
    return result


low_posterior.better = {"low_posterior_percent": "lower", "reverse_kl": "lower"}


def _percent(low: np.ndarray, likely: np.ndarray) -> float:
    return 100 * float(low.sum() / likely.sum()) if likely.any() else math.nan


def _embedding(of_data: np.ndarray, prior: np.ndarray, low: np.ndarray, perplexity: float, seed: int) -> Figure:
    together = np.concatenate([of_data, prior])
    if not perplexity < len(together):
        raise ValueError(f"low_posterior.perplexity is {perplexity}; it must be less than the {len(together)} codes")
    start = "pca" if together.shape[1] > 1 else "random"
    places = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(together)
    mine, theirs = np.split(places, [len(of_data)])
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(*mine.T, s=4, color="lightgray", label="codes of the data, q(z)")
    axes.scatter(*theirs[~low].T, s=4, color="tab:blue", label="codes of the prior")
    axes.scatter(*theirs[low].T, s=4, color="tab:red", label="of these, unlikely under q(z)")
    axes.set(xticks=[], yticks=[], title=f"codes by t-SNE; {100 * low.mean():.1f} % of the prior's are unlikely")
    axes.legend(markerscale=3)
    return figure


def _shown(likely: Rows, lowest: Rows) -> Figure | None:
    if likely.shape[1:] == (2,):
        figure = Figure(figsize=(6, 6), layout="constrained")
        axes = figure.subplots()
        axes.scatter(*likely[:].T, s=1, color="tab:blue", label="samples of likely codes of the prior")
        axes.scatter(*lowest[:].T, s=1, color="tab:red", label="of those that are unlikely under q(z)")
        axes.set(aspect="equal")
        axes.legend(markerscale=6)
        return figure
    if likely.ndim != 4:
        return None
    count = COLUMNS * ROWS
    title = f"samples: of likely codes, and below from row {ROWS + 1} of the least q(z)"
    return grid(np.concatenate([likely[:count], lowest[:count]]), COLUMNS, title)
