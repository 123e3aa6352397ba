"""The evidence lower bound, and what hybrids have in its place: do they show convergence over training?"""

import math
from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf

from bms_tf.core.model import Model
from bms_tf.metrics.aggregate_posterior import AggregatePosterior
from bms_tf.metrics.batches import required, several_in_batches
from bms_tf.metrics.density_ratio import density_ratio_kl

# log p(x|z), [N], of data x [N, D] and the mean of p(x|z), [N, D].
LogLikelihood = Callable[[np.ndarray, np.ndarray], np.ndarray]


@gin.configurable
def gaussian_log_likelihood(x: np.ndarray, mean: np.ndarray, *, stddev: float = 1.0) -> np.ndarray:
    """log p(x|z), [N], in nats: a normal distribution around the mean.

    Args:
        x: data [N, D].
        mean: of p(x|z), [N, D].
        stddev: in each dimension.
    """
    return np.sum(-0.5 * ((x - mean) / stddev) ** 2 - math.log(stddev) - 0.5 * math.log(2 * math.pi), axis=1)


@gin.configurable
def laplace_log_likelihood(x: np.ndarray, mean: np.ndarray, *, scale: float = 1.0) -> np.ndarray:
    """log p(x|z), [N], in nats: a Laplace distribution around the mean, the l1 distance as a density.

    Args:
        x: data [N, D].
        mean: of p(x|z), [N, D].
        scale: in each dimension.
    """
    return np.sum(-np.abs(x - mean) / scale - math.log(2 * scale), axis=1)


@gin.configurable
def bernoulli_log_likelihood(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """log p(x|z), [N], in nats, of pixels as probabilities of 1, by cross-entropy (Rosca et al. 2018, appendix G).

    Args:
        x: pixels [N, D] in [-1, 1].
        mean: of p(x|z), [N, D] in [-1, 1].
    """
    share, p = 0.5 * x + 0.5, (0.5 * mean + 0.5).clip(1e-6, 1 - 1e-6)
    return np.sum(share * np.log(p) + (1 - share) * np.log1p(-p), axis=1)


@gin.configurable
def elbo(
    model: Model,
    reference: np.ndarray,
    *,
    seed: int,
    log_likelihood: LogLikelihood = laplace_log_likelihood,
    draws: int = 1,
    ratio_steps: int = 0,
) -> dict[str, float]:
    """E log p(x|z) - KL[q(z|x) || p(z)] of held-out data, and the two surrogates that hybrids have instead.

    Rosca et al. 2018, eq. 4 and section 4.2 with figure 4. With a classifier in place of the KL, or of the likelihood,
    the number no longer tells whether training makes progress.

    It sees how well held-out data are coded and decoded. It does not see what the generator makes of those codes of the
    prior that no example has.

    Args:
        model: with `generate` and `sample_posterior` or `encode`. If it lacks anything else, some values are left out.
        reference: held-out data [N, ...].
        seed: of the codes.
        log_likelihood: a function of x and the mean of p(x|z), which `generate` gives. Models to be compared need the
            same function with the same scale.
        draws: codes for each x.
        ratio_steps: training steps of the surrogates' classifier, which is trained anew each time. 0 leaves both
            surrogates out.

    Returns:
        All in nats for one x, the mean over the data.
        elbo_likelihood: E log p(x|z), z ~ q(z|x).
        elbo_kl, elbo: mean KL[q(z|x) || p(z)], and the bound, if q(z|x) has a density. elbo_std: the standard error of
            the bound over the data.
        elbo_ratio_kl, elbo_ratio: KL[q(z) || p(z)] by `density_ratio_kl`, and elbo_likelihood minus it, which is the
            surrogate of adversarial autoencoders.
        elbo_synthetic: with a discriminator, the mean logit of reconstructions G(z), z ~ q(z|x), minus elbo_ratio_kl.
            The logit takes the place of the likelihood. This is the surrogate of alpha-GAN and its relatives, as far as
            the logit is a log ratio of densities.

    Raises:
        ValueError: if the model has no `generate` or no encoder, or for a value out of range.
    """
    (generate,) = required(model, "elbo", "generate")
    if draws < 1 or ratio_steps < 0:
        raise ValueError(f"elbo: draws {draws}, ratio_steps {ratio_steps}; the first must be at least 1, the other 0")
    q = AggregatePosterior(model, reference, seed=seed)
    discriminate = model.discriminate if ratio_steps else None

    def of_batch(z: tf.Tensor, x: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
        mean = generate(z)
        found = log_likelihood(*(np.asarray(part, np.float64).reshape(len(x), -1) for part in (x, mean)))
        return found, np.zeros(len(x)) if discriminate is None else np.asarray(discriminate(mean))

    likelihood, logits = np.zeros(q.size), np.zeros(q.size)
    for i in range(draws):
        z, index = q.sample(q.size, seed + i)
        found, of_discriminator = several_in_batches(of_batch, z.astype(np.float32), q.data.taken(index))
        likelihood[index] += found / draws
        logits += of_discriminator / draws
    result = {"elbo_likelihood": float(likelihood.mean())}
    if q.has_density:
        bound = likelihood - q.kl_per_datum(seed)
        result["elbo"] = float(bound.mean())
        result["elbo_std"] = float(bound.std(ddof=1) / math.sqrt(q.size)) if q.size > 1 else math.nan
        result["elbo_kl"] = result["elbo_likelihood"] - result["elbo"]
    if ratio_steps:
        ratio = density_ratio_kl(model, reference, seed=seed, steps=ratio_steps)["density_ratio_kl"]
        result |= {"elbo_ratio_kl": ratio, "elbo_ratio": result["elbo_likelihood"] - ratio}
        if discriminate is not None:
            result["elbo_synthetic"] = float(logits.mean()) - ratio
    return result


elbo.better = {"elbo": "higher"}
