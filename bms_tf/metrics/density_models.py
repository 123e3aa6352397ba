"""KL[q(z) || p(z)] with a density model in place of q(z) (Rosca et al. 2018, appendix E.3, algorithm 4)."""

import math
from collections.abc import Callable, Sequence

import gin
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from sklearn.mixture import GaussianMixture

from bms_tf.core.keras import keras
from bms_tf.core.model import Model
from bms_tf.metrics import fitting
from bms_tf.metrics.aggregate_posterior import LOG_2_PI
from bms_tf.metrics.code_draws import split_codes

# What a density model is: from codes [N, Z] and a seed to the function z [M, Z] -> log t(z), [M].
Density = Callable[..., Callable[[np.ndarray], np.ndarray]]


@gin.configurable
def gaussian_mixture(codes: np.ndarray, *, seed: int, components: int = 50) -> Callable[[np.ndarray], np.ndarray]:
    """A mixture of diagonal Gaussians, by scikit-learn.

    Args:
        codes: [N, Z].
        seed: of the fit.
        components: Gaussians, in 1..N.

    Returns:
        The function z [M, Z] -> log t(z), [M], in nats.

    Raises:
        ValueError: for a number of components out of range.
    """
    if not 1 <= components <= len(codes):
        raise ValueError(f"gaussian_mixture.components is {components}; it must lie in [1, {len(codes)}], the codes")
    return GaussianMixture(components, covariance_type="diag", random_state=seed).fit(codes).score_samples


@gin.configurable
def masked_autoregressive_flow(
    codes: np.ndarray,
    *,
    seed: int,
    layers: int = 5,
    hidden: Sequence[int] = (128, 128),
    steps: int = 3000,
    batch: int = 256,
    learning_rate: float = 1e-3,
) -> Callable[[np.ndarray], np.ndarray]:
    """MAF (Papamakarios et al. 2017) by TensorFlow Probability: each layer reads the dimensions in reversed order.

    Args:
        codes: [N, Z].
        seed: of initial weights and batches.
        layers: of the flow; one for codes of one dimension.
        hidden: units of each layer's network.
        steps: of Adam.
        batch: codes in a step.
        learning_rate: of Adam.

    Returns:
        The function z [M, Z] -> log t(z), [M], in nats.
    """
    size = codes.shape[1]
    networks = [
        tfp.bijectors.AutoregressiveNetwork(
            2,
            event_shape=[size],
            hidden_units=list(hidden),
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed + i),
        )
        for i in range(layers if size > 1 else 1)
    ]
    order = list(reversed(range(size)))
    chain = []
    for network in networks:
        chain += [tfp.bijectors.MaskedAutoregressiveFlow(network), tfp.bijectors.Permute(order)]
    base = tfp.distributions.MultivariateNormalDiag(tf.zeros(size), tf.ones(size))
    flow = tfp.distributions.TransformedDistribution(base, tfp.bijectors.Chain(chain))
    flow.log_prob(tf.zeros([1, size]))  # builds the networks
    weights = [weight for network in networks for weight in network.trainable_variables]
    return _fitted(flow.log_prob, weights, codes, steps=steps, batch=batch, learning_rate=learning_rate, seed=seed)


@gin.configurable
def autoregressive_lstm(
    codes: np.ndarray,
    *,
    seed: int,
    units: int = 64,
    steps: int = 2000,
    batch: int = 128,
    learning_rate: float = 2e-3,
) -> Callable[[np.ndarray], np.ndarray]:
    """t(z) = prod_i N(z_i; mu(z_<i), sigma(z_<i)), with an LSTM that reads the dimensions one by one.

    Args:
        codes: [N, Z].
        seed: of initial weights and batches.
        units: of the LSTM.
        steps: of Adam.
        batch: codes in a step.
        learning_rate: of Adam.

    Returns:
        The function z [M, Z] -> log t(z), [M], in nats.
    """
    size = codes.shape[1]
    initializers = {
        "kernel_initializer": keras.initializers.GlorotUniform(seed),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=seed + 1),
    }
    network = keras.Sequential(
        [
            keras.Input([size, 1]),
            keras.layers.LSTM(units, return_sequences=True, **initializers),
            keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed + 2)),
        ]
    )

    def log_prob(z: tf.Tensor) -> tf.Tensor:
        before = tf.pad(z[:, :-1], [[0, 0], [1, 0]])  # position i sees z_1 .. z_(i-1)
        mean, log_stddev = tf.unstack(network(before[..., tf.newaxis]), axis=-1)
        standardized = (z - mean) * tf.exp(-log_stddev)
        return tf.reduce_sum(-0.5 * standardized**2 - log_stddev - 0.5 * LOG_2_PI, axis=1)

    weights = network.trainable_variables
    return _fitted(log_prob, weights, codes, steps=steps, batch=batch, learning_rate=learning_rate, seed=seed)


@gin.configurable
def density_model_kl(
    model: Model,
    reference: np.ndarray,
    *,
    seed: int,
    codes: int = 10_000,
    noise: float = 0.0,
    densities: Sequence[Density] = (gaussian_mixture, masked_autoregressive_flow, autoregressive_lstm),
) -> dict[str, float]:
    """KL[q(z) || p(z)] as the mean of log t(z) - log p(z) at codes, for density models t.

    Rosca et al. 2018, algorithm 4. The models are fitted to codes of one half of the data and judged by codes of the
    other half. In expectation the estimate is then the KL minus KL[q || t], a lower bound.

    It sees a difference between q(z) and the prior as far as its density models follow q(z). It does not see what they
    cannot fit, so the estimate is then too low.

    Args:
        model: with any encoder.
        reference: the data [N, ...].
        seed: of codes and fits.
        codes: of each half.
        noise: standard deviation of the noise on all codes, see `AggregatePosterior`.
        densities: functions (codes [N, Z], seed=) -> (z [M, Z] -> log t(z) [M]).

    Returns:
        NAME_kl for each function's name, such as gaussian_mixture_kl, in nats, and NAME_kl_std, its standard error.

    Raises:
        ValueError: for an encoder that is missing, or a value out of range.
    """
    train, test, q = split_codes(model, reference, seed=seed, codes=codes, noise=noise)
    log_p = q.log_prior(test)
    result = {}
    for density in densities:
        gap = density(train, seed=seed)(test) - log_p
        result[f"{density.__name__}_kl"] = float(gap.mean())
        result[f"{density.__name__}_kl_std"] = float(gap.std(ddof=1) / math.sqrt(len(test)))
    return result


def _fitted(log_prob, weights, codes, *, batch: int, seed: int, **settings) -> Callable[[np.ndarray], np.ndarray]:
    """Fits to standardized codes by maximum likelihood; the function it gives is of codes as they are."""
    mean, deviation = codes.mean(axis=0), codes.std(axis=0) + 1e-6
    data = tf.constant((codes - mean) / deviation, tf.float32)
    fitting.minimize(
        lambda key: -tf.reduce_mean(log_prob(fitting.rows(data, batch, key))), weights, seed=seed, **settings
    )

    def fitted(z: np.ndarray) -> np.ndarray:
        parts = np.array_split((z - mean) / deviation, -(-len(z) // 1000))
        log_t = np.concatenate([log_prob(tf.constant(part, tf.float32)) for part in parts])
        return log_t.astype(np.float64) - np.log(deviation).sum()

    return fitted
