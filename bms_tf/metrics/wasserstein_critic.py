"""The independent Wasserstein critic: WGAN-GP's critic, trained after the model to tell held-out data from samples."""

from collections.abc import Callable, Sequence

import gin
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from bms_tf.core.examples import Rows, rows_of
from bms_tf.core.keras import keras
from bms_tf.core.model import as_float
from bms_tf.metrics import fitting

SCORED = 100  # examples a call


@gin.configurable
def wasserstein_critic(
    samples: np.ndarray | Rows,
    reference: np.ndarray | Rows,
    *,
    seed: int,
    steps: int = 2000,
    every: int = 100,
    batch: int = 64,
    learning_rate: float = 1e-4,
    penalty: float = 10.0,
    width: int = 64,
    max_examples: int = 10_000,
) -> dict[str, float | Figure]:
    """The Wasserstein distance that an independent critic sees (Danihelka et al. 2017; Rosca et al. 2018, appendix I).

    The critic is WGAN-GP's (Gulrajani et al. 2017, eq. 3). It is trained on one half of the held-out data and of the
    samples, and judged on the other half. It can tell a model that learned its training data by heart, or lost modes,
    from held-out data. The papers report the negative.

    It sees whatever its critic learns to tell apart: lost modes, bad samples, data learnt by heart. It does not see
    finer differences, or which one it was.

    Args:
        samples: [N, ...]. Images [N, H, W, C] get a convolutional critic, all else a multilayer perceptron.
        reference: held-out data [M, ...].
        seed: of halves, initial weights and batches.
        steps: of Adam (0, 0.9).
        every: steps between two points of the curves.
        batch: how many samples, and how many examples of the data, a step has.
        learning_rate: of Adam.
        penalty: weight of the gradient penalty.
        width: channels of the first convolution, which each further one doubles, or units of the three hidden layers.
        max_examples: larger sets are subsampled to this many.

    Returns:
        critic_distance: the critic's mean on data minus its mean on samples, after all steps, on the halves that it did
            not see. It has no natural unit: compare it with the floor, where real data are the samples.
        critic_distance_train: the same on the halves it was trained on. If this is far above the other, the critic has
            overfitted.
        critic: the curves of both over the steps.

    Raises:
        ValueError: for samples of another shape than the reference, fewer than four of either, or a value out of range.
    """
    samples, reference = rows_of(samples), rows_of(reference)
    if samples.shape[1:] != reference.shape[1:] or min(len(samples), len(reference)) < 4:
        raise ValueError(
            f"samples of shape {samples.shape} and data of shape {reference.shape}; they must be alike, and 4 or more"
        )
    if batch < 1 or penalty < 0 or width < 1 or max_examples < 4:
        raise ValueError(
            f"wasserstein_critic: batch {batch}, penalty {penalty}, width {width}, max_examples {max_examples}; out of "
            "range"
        )
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(x))[:max_examples] for x in (samples, reference)]
    (seen_fake, fake), (seen_real, real) = (
        [x.taken(half) for half in np.array_split(order, 2)] for x, order in zip((samples, reference), orders)
    )
    shape = samples.shape[1:]
    critic = _convolutional(shape, width, seed) if len(shape) == 3 else fitting.mlp(shape[0], [width] * 3, seed=seed)
    train_fake, train_real = tf.constant(seen_fake.compact()), tf.constant(seen_real.compact())

    def drawn(data: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return as_float(fitting.rows(data, batch, key))

    def loss(key: tf.Tensor) -> tf.Tensor:
        x, x_gen = drawn(train_real, key), drawn(train_fake, fitting.fold(key, 1))
        share = tf.random.stateless_uniform([batch] + [1] * len(shape), fitting.fold(key, 2))
        return tf.reduce_mean(critic(x_gen) - critic(x)) + penalty * _penalty(critic, share * x + (1 - share) * x_gen)

    curves = []
    settings = {"steps": steps, "every": every, "learning_rate": learning_rate, "beta_1": 0.0, "beta_2": 0.9}
    for step in fitting.minimizing(loss, critic.trainable_variables, seed=seed, **settings):
        curves.append((step, _distance(critic, seen_real, seen_fake), _distance(critic, real, fake)))
    _, train, test = curves[-1]
    return {"critic_distance": test, "critic_distance_train": train, "critic": _figure(curves)}


wasserstein_critic.better = {"critic_distance": "lower"}


def _penalty(critic: Callable, x: tf.Tensor) -> tf.Tensor:
    """E (|gradient of the critic at x| - 1)^2."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(critic(x))
    squared = tf.reduce_sum(tape.gradient(value, x) ** 2, axis=range(1, len(x.shape)))
    return tf.reduce_mean((tf.sqrt(squared + 1e-12) - 1) ** 2)


def _distance(critic: Callable, real: Rows, fake: Rows) -> float:
    means = []
    for x in (real, fake):
        parts = [critic(tf.constant(x[i : i + SCORED])).numpy() for i in range(0, len(x), SCORED)]
        means.append(np.concatenate(parts).mean(dtype=np.float64))
    return float(means[0] - means[1])


def _convolutional(shape: Sequence[int], width: int, seed: int) -> keras.Model:
    """Convolutions of 5 x 5 and stride 2 until 4 x 4 or less is left; no batch normalization, as in WGAN-GP."""
    layers, side, depth = [keras.Input(shape)], min(shape[:2]), 0
    while side > 4 or not depth:
        layers.append(
            keras.layers.Conv2D(
                width * 2**depth,
                5,
                2,
                padding="same",
                kernel_initializer=keras.initializers.GlorotUniform(seed + depth),
            )
        )
        layers.append(keras.layers.LeakyReLU(0.2))
        side, depth = -(-side // 2), depth + 1
    last = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed + depth))
    return keras.Sequential([*layers, keras.layers.Flatten(), last])


def _figure(curves: Sequence[tuple[int, float, float]]) -> Figure:
    steps, train, test = zip(*curves)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, train, label="the halves the critic is trained on")
    axes.plot(steps, test, label="the other halves")
    axes.set(xlabel="the critic's updates", ylabel="critic of data less critic of samples", ylim=(min(0, *test), None))
    axes.set_title("independent Wasserstein critic")
    axes.legend()
    return figure


wasserstein_critic.needs = "rows"
