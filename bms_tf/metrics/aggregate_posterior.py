"""The aggregate posterior q(z) = 1/N sum_n q(z|x_n) of an encoder over a data set: its exact density, and its draws."""

import copy
import math

import numpy as np
from scipy.special import logsumexp
from scipy.stats import chi2, kstest

from bms_tf.core.examples import Rows, rows_of
from bms_tf.core.model import Model
from bms_tf.metrics.batches import in_batches, required, seeds, several_in_batches

CHUNK_BYTES = 2**28
LOG_2_PI = math.log(2 * math.pi)


class AggregatePosterior:
    """q(z) over data [N, ...], for a model whose prior p(z) is the standard normal distribution.

    With `noise` h > 0, independent noise of standard deviation h is added to all codes: q(z|x) is N(mean, stddev^2 +
    h^2), p(z) is N(0, 1 + h^2). So deterministic and implicit encoders, which have no density, can be measured like the
    others. By the data processing inequality, noise only lowers a divergence.
    """

    def __init__(self, model: Model, data: np.ndarray | Rows, *, noise: float = 0.0, seed: int = 0):
        """Encodes the data.

        Args:
            model: with `posterior`, `sample_posterior` or `encode`.
            data: [N, ...].
            noise: h, its standard deviation, not negative.
            seed: of the draws that stand for q(z|x_n) where noise is added to a posterior that is not Gaussian, one for
                each x_n.

        Raises:
            ValueError: for a model without any of these or with another prior, for negative noise and for no data.
        """
        if noise < 0:
            raise ValueError(f"noise is {noise}; it must not be negative")
        if not len(data):
            raise ValueError("no data to encode")
        self.model, self.data, self.noise = model, rows_of(data), noise
        if model.posterior is None and model.sample_posterior is None and model.encode is None:
            raise ValueError("the model has no encoder: neither posterior, nor sample_posterior, nor encode")
        _check_prior(model)
        self.gaussians = None  # their means and log_stddevs [N, Z]; None for a posterior of another form
        if model.posterior is not None:
            mean, log_stddev = several_in_batches(model.posterior, self.data)
            self.gaussians = mean, 0.5 * np.log(np.exp(2 * log_stddev) + noise**2) if noise else log_stddev
        elif noise:
            mean = self._draws(np.arange(len(self.data)), seed)
            self.gaussians = mean, np.full_like(mean, math.log(noise))

    @property
    def size(self) -> int:
        """N."""
        return len(self.data)

    @property
    def has_density(self) -> bool:
        """Whether q(z|x) has a density, so that q(z) has one."""
        return self.gaussians is not None or self.model.log_posterior is not None

    @property
    def variance(self) -> float:
        """Of the prior, in each dimension."""
        return 1 + self.noise**2

    def sample(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """`count` codes [count, Z] and the x that each is of, [count]: every x as often as the others, or once more."""
        rng = np.random.default_rng(seed)
        index = np.resize(rng.permutation(self.size), count)
        if self.gaussians is None:
            return self._draws(index, seed), index
        mean, log_stddev = self.gaussians
        noise = rng.standard_normal((count, mean.shape[1]))
        return mean[index] + np.exp(log_stddev[index]) * noise, index

    def sample_prior(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """`count` codes of the model's prior [count, Z], and the same with the noise added."""
        (sample_prior,) = required(self.model, "the code space", "sample_prior")
        codes = in_batches(sample_prior, seeds(seed, count))
        return codes, codes + self.noise * np.random.default_rng(seed).standard_normal(codes.shape)

    def log_prob(self, z: np.ndarray) -> np.ndarray:
        """log q(z), [M], of codes [M, Z]: the exact log-sum-exp over all N.

        Raises ValueError where q(z|x) has no density.
        """
        self._require_density()
        if self.gaussians is not None:
            return log_mean_of_gaussians(z, *self.gaussians)
        each = (self._log_posterior(np.repeat(code[None], self.size, axis=0), self.data) for code in z)
        return np.array([logsumexp(log_q) for log_q in each]) - math.log(self.size)

    def log_conditional(self, z: np.ndarray, index: np.ndarray) -> np.ndarray:
        """log q(z_i | x_n), [M], of codes [M, Z], n = index[i]. Raises ValueError where q(z|x) has no density."""
        self._require_density()
        if self.gaussians is None:
            return self._log_posterior(z, self.data.taken(index))
        mean, log_stddev = self.gaussians
        return log_normal(z, mean[index], log_stddev[index])

    def log_prior(self, z: np.ndarray) -> np.ndarray:
        """log p(z), [M], of codes [M, Z]."""
        return log_normal(z, 0.0, np.full(z.shape, 0.5 * math.log(self.variance)))

    def matched(self, seed: int) -> "AggregatePosterior":
        """The q(z) of a deterministic encoder whose N codes are draws of the prior, with the same noise: what a
        finite N leaves between q(z) and the prior at best. Raises ValueError without noise.
        """
        if not self.noise:
            raise ValueError("without noise N codes have no density; noise must be positive")
        ideal = copy.copy(self)
        codes, _ = self.sample_prior(self.size, seed)
        ideal.gaussians = codes, np.full_like(codes, math.log(self.noise))
        return ideal

    def kl_per_datum(self, seed: int, draws: int = 20) -> np.ndarray:
        """KL[q(z|x_n) || p(z)], [N], in nats: in closed form for Gaussians, else the mean over `draws` codes each."""
        self._require_density()
        if self.gaussians is not None:
            mean, log_stddev = self.gaussians
            ratio = np.exp(2 * log_stddev) / self.variance
            return 0.5 * np.sum(mean**2 / self.variance + ratio - 1 - np.log(ratio), axis=1)
        index = np.repeat(np.arange(self.size), draws)
        z = self._draws(index, seed)
        return (self.log_conditional(z, index) - self.log_prior(z)).reshape(self.size, draws).mean(axis=1)

    def moments(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean [Z] and covariance [Z, Z] of q(z): exactly for Gaussians, else of ten draws for each x_n."""
        if self.gaussians is not None:
            mean, log_stddev = self.gaussians
            # The covariance of the means (over all N: these are the distribution) and the mean of the covariances.
            between = np.atleast_2d(np.cov(mean, rowvar=False, bias=True))
            return mean.mean(axis=0), between + np.diag(np.exp(2 * log_stddev).mean(axis=0))
        z, _ = self.sample(10 * self.size, seed)
        return z.mean(axis=0), np.atleast_2d(np.cov(z, rowvar=False, bias=True))

    def _draws(self, index: np.ndarray, seed: int) -> np.ndarray:
        if self.model.sample_posterior is None:
            (encode,) = required(self.model, "the code space", "encode")
            return in_batches(encode, self.data.taken(index))
        return in_batches(self.model.sample_posterior, self.data.taken(index), seeds(seed, len(index)))

    def _log_posterior(self, z: np.ndarray, x: Rows) -> np.ndarray:
        (log_posterior,) = required(self.model, "log q(z)", "log_posterior")
        return in_batches(log_posterior, z.astype(np.float32), x)

    def _require_density(self) -> None:
        if not self.has_density:
            raise ValueError(
                "this encoder's q(z|x) has no density, as it is deterministic or implicit: give noise > 0, which is "
                "added to the codes of q(z) and of the prior, or take density_ratio_kl, which only needs draws"
            )


def log_normal(z: np.ndarray, mean: np.ndarray | float, log_stddev: np.ndarray) -> np.ndarray:
    """log N(z; mean, diag(exp(log_stddev))^2), [M], of [M, Z]."""
    return np.sum(-0.5 * ((z - mean) * np.exp(-log_stddev)) ** 2 - log_stddev - 0.5 * LOG_2_PI, axis=1)


def log_mean_of_gaussians(
    z: np.ndarray, mean: np.ndarray, log_stddev: np.ndarray, chunk_bytes: int = CHUNK_BYTES
) -> np.ndarray:
    """log 1/N sum_n N(z; mean_n, diag(exp(log_stddev_n))^2), [M], exactly.

    All M N exponents are one matrix product: the quadratic form is linear in (z^2, z). In float64: that product loses
    digits where a mean is many standard deviations from 0.

    Args:
        z: [M, Z].
        mean: [N, Z].
        log_stddev: [N, Z].
        chunk_bytes: of the exponents that are in memory at a time.
    """
    precision = np.exp(-2 * log_stddev)
    linear = np.concatenate([-0.5 * precision, mean * precision], axis=1).T
    constant = -0.5 * np.sum(mean**2 * precision, axis=1) - np.sum(log_stddev + 0.5 * LOG_2_PI, axis=1)
    rows = max(1, chunk_bytes // (8 * len(mean)))
    parts = []
    for i in range(0, len(z), rows):
        some = z[i : i + rows]
        exponents = np.concatenate([some**2, some], axis=1) @ linear
        exponents += constant
        largest = exponents.max(axis=1, keepdims=True)
        exponents -= largest
        np.exp(exponents, out=exponents)  # in place: scipy's logsumexp would hold three more arrays of this size
        parts.append(np.log(exponents.mean(axis=1)) + largest[:, 0])
    return np.concatenate(parts)


def _check_prior(model: Model) -> None:
    """Raises ValueError if codes of the prior do not have the lengths that standard normal ones have."""
    if model.sample_prior is None:
        return
    codes = in_batches(model.sample_prior, seeds(0, 1000))
    if kstest((codes**2).sum(axis=1), chi2(codes.shape[1]).cdf).pvalue < 1e-9:
        raise ValueError(
            f"the model's prior is not standard normal: its codes have a mean square of {np.mean(codes**2):.3g}"
        )
