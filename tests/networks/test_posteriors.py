"""Posteriors: codes from given noise by hand, densities against TensorFlow Probability."""

import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.networks.layers import batch_normalization
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import (
    DeterministicEncoder,
    DiagonalGaussian,
    Encoder,
    GaussianEncoder,
    NoiseFedEncoder,
    UnitGaussianEncoder,
)


def linear(kernel) -> keras.Model:
    """x -> x W, with the given W."""
    kernel = np.array(kernel, np.float32)
    network = mlp(input_shape=kernel.shape[:1], output_shape=kernel.shape[1:], hidden=())
    network.set_weights([kernel, np.zeros(kernel.shape[1])])
    return network


X = tf.constant([[1.0, 2.0], [3.0, 4.0]])
NOISE = tf.constant([[[1.0], [-1.0]], [[0.5], [0.0]], [[0.0], [2.0]]])  # three draws of [2, 1]


def test_gaussian_encoder():
    # The mean is x_1 + x_2: 3 and 7. The log variance is x_1 log 4: deviations of 2 and 8.
    encoder = GaussianEncoder(linear([[1, math.log(4)], [1, 0]]), code_size=1, data_shape=(2,))
    posterior = encoder.posterior(X)
    np.testing.assert_allclose(posterior.sample(NOISE), [[[5], [-1]], [[4], [7]], [[3], [23]]], rtol=1e-6)
    np.testing.assert_allclose(posterior.sample(NOISE[0]), [[5], [-1]], rtol=1e-6)
    # One deviation from its mean, log N = -1/2 - log s - log(2 pi) / 2.
    expected = [-0.5 - math.log(s) - 0.5 * math.log(2 * math.pi) for s in (2, 8)]
    np.testing.assert_allclose(posterior.log_prob(posterior.sample(NOISE[0])), expected, rtol=1e-6)


def test_deterministic_encoder():
    posterior = DeterministicEncoder(linear([[1], [1]]), code_size=1, data_shape=(2,)).posterior(X)
    np.testing.assert_allclose(posterior.sample(NOISE), [[[3], [7]]] * 3)
    assert not hasattr(posterior, "log_prob")


def test_unit_gaussian_encoder():
    # x_1 + x_2 is 3 and 7; one deviation, 1, from it log N = -1/2 - log(2 pi) / 2.
    posterior = UnitGaussianEncoder(linear([[1], [1]]), code_size=1, data_shape=(2,)).posterior(X)
    np.testing.assert_allclose(posterior.sample(NOISE), [[[4], [6]], [[3.5], [7]], [[3], [9]]])
    np.testing.assert_allclose(posterior.log_prob([[4.0], [6.0]]), [-0.5 - 0.5 * math.log(2 * math.pi)] * 2, rtol=1e-6)


def test_noise_fed_encoder():
    # z = x_1 + 10 x_2 + 100 noise: every draw sees its own noise beside its own x.
    encoder = NoiseFedEncoder(linear([[1], [10], [100]]), code_size=1, data_shape=(2,))
    posterior = encoder.posterior(X)
    np.testing.assert_allclose(posterior.sample(NOISE), [[[121], [-57]], [[71], [43]], [[21], [243]]])
    np.testing.assert_allclose(posterior.sample(NOISE[2]), [[21], [243]])
    assert not hasattr(posterior, "log_prob")
    # Images are flattened beside the noise.
    image = NoiseFedEncoder(linear([[1], [10], [100]]), code_size=1, data_shape=(2, 1, 1)).posterior(
        X[:, :, None, None]
    )
    np.testing.assert_allclose(image.sample(NOISE[2]), [[21], [243]])


def test_log_prob_against_tensorflow_probability():
    tfd = pytest.importorskip("tensorflow_probability").distributions
    rng = np.random.default_rng(0)
    mean, log_stddev = tf.constant(rng.normal(size=(2, 5, 3)), tf.float32)
    z = tf.constant(rng.normal(size=(4, 5, 3)), tf.float32)
    expected = tfd.MultivariateNormalDiag(mean, tf.exp(log_stddev)).log_prob(z)
    np.testing.assert_allclose(DiagonalGaussian(mean, log_stddev).log_prob(z), expected, rtol=1e-5)


def test_gradients_reach_mean_and_deviation():
    # z = m + e^l n: dz/dm = 1 and dz/dl = e^l n.
    mean, log_stddev = tf.Variable([[0.5]]), tf.Variable([[math.log(2)]])
    with tf.GradientTape() as tape:
        z = DiagonalGaussian(tf.identity(mean), tf.identity(log_stddev)).sample(tf.constant([[3.0]]))
    np.testing.assert_allclose(tape.gradient(z, [mean, log_stddev]), [[[1]], [[6]]], rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"), [(GaussianEncoder, 2, 2), (DeterministicEncoder, 2, 1), (NoiseFedEncoder, 3, 1)]
)
def test_batch_statistics_move_in_training_only(kind, inputs, outputs, training):
    network = mlp(input_shape=(inputs,), output_shape=(outputs,), hidden=(4,), normalization=batch_normalization)
    kind(network, code_size=1, data_shape=(2,)).posterior(X, training=training).sample(NOISE)
    assert np.any(network.layers[1].moving_mean != 0) == training


def test_an_encoder_without_posterior_says_so():
    with pytest.raises(TypeError, match="Encoder must define posterior"):
        Encoder(linear([[1], [1]]), code_size=1, data_shape=(2,)).posterior(X)
