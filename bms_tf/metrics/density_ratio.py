"""KL[q(z) || p(z)] by the density ratio: a classifier tells codes of the data from codes of the prior."""

from collections.abc import Sequence

import gin
import numpy as np
import tensorflow as tf

from bms_tf.core.model import Model
from bms_tf.metrics import fitting
from bms_tf.metrics.code_draws import split_codes


@gin.configurable
def density_ratio_kl(
    model: Model,
    reference: np.ndarray,
    *,
    seed: int,
    codes: int = 20_000,
    noise: float = 0.0,
    hidden: Sequence[int] = (256, 256, 256),
    steps: int = 5000,
    batch: int = 256,
    learning_rate: float = 5e-4,
) -> dict[str, float]:
    """KL[q(z) || p(z)] as the mean logit of a classifier at codes (Rosca et al. 2018, algorithm 3).

    It only needs draws of q(z|x), and it underestimates: for a VAE with codes of size 100, their table 2 has 14.8 to
    19.0 where Monte Carlo gives 100.3. Classifier and estimate see codes of different halves of the data. As theirs,
    the classifier has leaky ReLUs and Adam (0.9, 0.9). Its widths and steps are fewer than their 5,000 and 500,000.

    It sees a difference by which a classifier tells q(z) and the prior apart. It does not see how far apart they are
    once they hardly overlap.

    Args:
        model: with any encoder.
        reference: the data [N, ...].
        seed: of codes, initial weights and batches.
        codes: of each half.
        noise: standard deviation of the noise on all codes, see `AggregatePosterior`.
        hidden: units of the classifier's layers.
        steps: of its training.
        batch: codes of the data in a step, and as many of the prior.
        learning_rate: of Adam.

    Returns:
        density_ratio_kl: the estimate in nats, and density_ratio_kl_std, its standard error over the codes.
        density_ratio_accuracy_percent: how often the classifier is right. It is 50 if the classifier sees no
            difference.

    Raises:
        ValueError: for an encoder that is missing, or a value out of range.
    """
    train, test, q = split_codes(model, reference, seed=seed, codes=codes, noise=noise)
    deviation = float(np.float32(np.sqrt(q.variance)))
    logits = density_ratio(train, deviation, hidden=hidden, steps=steps, batch=batch, rate=learning_rate, seed=seed)
    of_data = logits(test)
    prior = deviation * np.random.default_rng(seed + 2).standard_normal(test.shape)
    right = [np.mean(of_data > 0), np.mean(logits(prior) <= 0)]
    return {
        "density_ratio_kl": float(of_data.mean()),
        "density_ratio_kl_std": float(of_data.std(ddof=1) / np.sqrt(len(test))),
        "density_ratio_accuracy_percent": 100 * float(np.mean(right)),
    }


density_ratio_kl.better = {"density_ratio_kl": "lower"}


def density_ratio(codes: np.ndarray, deviation: float, *, hidden, steps: int, batch: int, rate: float, seed: int):
    """The function z [M, Z] -> log q(z) / N(z; 0, deviation^2), [M], that a classifier learned from codes [N, Z]."""
    data = tf.constant(codes, tf.float32)
    network = fitting.mlp(data.shape[1], hidden, seed=seed)

    def loss(key: tf.Tensor) -> tf.Tensor:
        prior = deviation * tf.random.stateless_normal([batch, data.shape[1]], fitting.fold(key, 1))
        of_data, of_prior = (network(z)[:, 0] for z in (fitting.rows(data, batch, key), prior))
        return tf.reduce_mean(tf.nn.softplus(-of_data) + tf.nn.softplus(of_prior))  # label 1 for codes of the data

    weights = network.trainable_variables
    fitting.minimize(loss, weights, steps=steps, learning_rate=rate, beta_1=0.9, beta_2=0.9, seed=seed)
    return lambda z: np.asarray(network(tf.constant(z, tf.float32))[:, 0], np.float64)
