"""How far the codes of the data are from the prior: KL[q(z) || p(z)], mutual information, moments."""

import math
from collections.abc import Mapping

import gin
import numpy as np
from matplotlib.figure import Figure

from bms_tf.core.model import Model
from bms_tf.metrics.aggregate_posterior import AggregatePosterior

ACTIVE = (
    0.01  # variance of the posterior's mean above which a dimension counts as used (Burda et al. 2016, section 5.2)
)


@gin.configurable
def marginal_kl(
    model: Model, reference: np.ndarray, *, seed: int, codes: int = 10_000, noise: float = 0.0
) -> dict[str, float]:
    """KL[q(z) || p(z)] by Monte Carlo, and the mutual information of data and codes.

    Rosca et al., Distribution Matching in Variational Inference (2018): algorithm 2, with the factor 1/N of the mixture
    that it leaves out, and eq. 5, mean KL[q(z|x) || p(z)] = KL[q(z) || p(z)] + I.

    It sees every difference of q(z) from the prior. It does not see what the generator makes of it.

    Args:
        model: with a Gaussian `posterior`, or with `log_posterior` and `sample_posterior` (slow: one pass over the data
            for each code). With noise, any encoder will do.
        reference: all of the data [N, ...]. q(z) is the mixture over these N.
        seed: of the codes.
        codes: how many are drawn from q(z).
        noise: standard deviation of the noise on all codes, see `AggregatePosterior`.

    Returns:
        All values are in nats, and have a `_std`, the standard error over the codes.
        marginal_kl: KL[q(z) || p(z)].
        mutual_information: between the N data and their codes. It is at most mutual_information_bound = log N. Close to
            the bound, the N posteriors do not overlap, and more data would give another q(z). The marginal KL of any
            model is then at least average_kl - log N, and falls with N.
        average_kl: the mean KL[q(z|x) || p(z)] by the same codes, the sum of the two.
        marginal_kl_matched: with noise, the marginal KL of N codes that are draws of the prior. A deterministic encoder
            has no less than that, however well it matches the prior.

    Raises:
        ValueError: if the encoder has no density and there is no noise, or for fewer than two codes.
    """
    if codes < 2:
        raise ValueError(f"marginal_kl.codes is {codes}; it must be at least 2")
    q = AggregatePosterior(model, reference, noise=noise, seed=seed)
    z, index = q.sample(codes, seed)
    log_q, log_p, log_q_x = q.log_prob(z), q.log_prior(z), q.log_conditional(z, index)
    gaps = {"marginal_kl": log_q - log_p, "mutual_information": log_q_x - log_q, "average_kl": log_q_x - log_p}
    if noise:
        ideal = q.matched(seed)
        z, _ = ideal.sample(codes, seed)
        gaps["marginal_kl_matched"] = ideal.log_prob(z) - ideal.log_prior(z)
    scores = {name: float(gap.mean()) for name, gap in gaps.items()}
    scores |= {f"{name}_std": float(gap.std(ddof=1) / math.sqrt(codes)) for name, gap in gaps.items()}
    return scores | {"mutual_information_bound": math.log(q.size)}


marginal_kl.better = {"marginal_kl": "lower"}


@gin.configurable
def code_moments(model: Model, reference: np.ndarray, *, seed: int, noise: float = 0.0) -> dict[str, float | Figure]:
    """Means and covariance of q(z), and the KL of each datum.

    It sees a q(z) that is shifted, stretched or correlated. It does not see another shape, such as holes, if mean and
    covariance are those of the prior.

    Args:
        model: with any encoder.
        reference: the data [N, ...].
        seed: of draws, where q(z|x) is not Gaussian.
        noise: see `AggregatePosterior`.

    Returns:
        code_mean_rms: root mean square, over dimensions, of the mean of q(z). The prior has 0.
        code_variance_min, code_variance_max: the least and largest variance of a dimension. The prior has 1, or 1 +
            noise^2.
        code_correlation_max: the largest absolute correlation of two dimensions. The prior has 0, and so have codes of
            one dimension.
        moments_kl: KL of the Gaussian with q(z)'s mean and covariance from the prior, in nats. It is the part of the
            mismatch that mean and covariance show. Infinite if the covariance does not have full rank.
        active_units: how many dimensions have a mean of q(z|x) that varies over x by more than 0.01; for Gaussians
            only.
        kl_per_datum_mean, _median, _max: of KL[q(z|x) || p(z)] in nats, if q(z|x) has a density.
        code_covariance: a picture of q(z)'s means, its standard deviations and the absolute covariances.
        kl_per_datum: its histogram.
    """
    q = AggregatePosterior(model, reference, noise=noise, seed=seed)
    mean, covariance = q.moments(seed)
    variance = np.diag(covariance)
    deviation = np.sqrt(np.maximum(variance, np.finfo(float).tiny))  # a dimension without any is correlated with none
    correlation = covariance / np.outer(deviation, deviation) - np.diag(variance / deviation**2)
    result = {
        "code_mean_rms": float(np.sqrt(np.mean(mean**2))),
        "code_variance_min": float(variance.min()),
        "code_variance_max": float(variance.max()),
        "code_correlation_max": float(np.abs(correlation).max()),
        "moments_kl": kl_of_gaussian(mean, covariance, q.variance),
        "code_covariance": _covariance_figure(mean, covariance, q.variance),
    }
    if model.posterior is not None and q.gaussians is not None:
        result["active_units"] = float(np.count_nonzero(q.gaussians[0].var(axis=0) > ACTIVE))
    if q.has_density:
        each = q.kl_per_datum(seed)
        functions = {"mean": np.mean, "median": np.median, "max": np.max}
        result |= {f"kl_per_datum_{name}": float(function(each)) for name, function in functions.items()}
        result["kl_per_datum"] = histograms({f"{len(each):,} data": each}, "KL[q(z|x) || p(z)] of each x, in nats")
    return result


def kl_of_gaussian(mean: np.ndarray, covariance: np.ndarray, variance: float = 1.0) -> float:
    """KL[N(mean, covariance) || N(0, variance I)] in nats, of [Z] and [Z, Z]; infinite for a singular covariance."""
    sign, log_det = np.linalg.slogdet(covariance / variance)
    if sign <= 0:
        return math.inf
    return float(0.5 * ((np.trace(covariance) + mean @ mean) / variance - len(mean) - log_det))


def histograms(groups: Mapping[str, np.ndarray], title: str) -> Figure:
    """The histograms of groups of numbers [N], by name, on the same axis; each has an area of 1."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    bins = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins=50).tolist()
    for name, values in groups.items():
        axes.hist(values, bins=bins, density=True, alpha=0.5, label=name)
    axes.set(xlabel=title, ylabel="density")
    axes.legend()
    return figure


def _covariance_figure(mean: np.ndarray, covariance: np.ndarray, variance: float) -> Figure:
    figure = Figure(figsize=(11, 4.3), layout="constrained")
    lines, matrix = figure.subplots(1, 2)
    places = np.arange(len(mean))
    lines.errorbar(places, mean, np.sqrt(np.diag(covariance)), fmt=".", capsize=2, label="q(z): mean ± deviation")
    lines.axhspan(-math.sqrt(variance), math.sqrt(variance), color="lightgray", zorder=0, label="prior: ± deviation")
    lines.set(xlabel="dimension of the code", title="means and deviations")
    lines.legend()
    image = matrix.imshow(np.abs(covariance), cmap="magma", vmin=0)
    matrix.set_title("absolute covariance of q(z); the prior's is diagonal")
    figure.colorbar(image, ax=matrix)
    return figure
