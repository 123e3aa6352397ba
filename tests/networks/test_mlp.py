"""Fully connected networks: parameters counted by hand, and one network computed by hand."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.networks.layers import (
    batch_normalization,
    bounded,
    normal_weights,
    orthogonal_weights,
    spectral_normalization,
)
from bms_tf.networks.mlp import mlp


@pytest.mark.parametrize(
    ("shapes", "options", "output", "parameters"),
    [
        # (2 + 1) * 128 + (128 + 1) * 128 + (128 + 1) * 32.
        (((2,), (32,)), {}, (32,), 21024),
        # (3 + 1) * 4 + (4 + 1) * 1, and logits have no axis but the batch's.
        (((3,), ()), {"hidden": (4,)}, (), 21),
        # No hidden layer: 12 inputs and 2 * 3 outputs, (12 + 1) * 6.
        (((2, 3, 2), (2, 3, 1)), {"hidden": ()}, (2, 3, 1), 78),
        # Before a normalization there is no bias: 3 * 4, four vectors of 4 in it, (4 + 1) * 2.
        (((3,), (2,)), {"hidden": (4,), "normalization": batch_normalization}, (2,), 38),
        # u has as many entries as a layer has outputs: 21 as above, 4 and 1.
        (((3,), ()), {"hidden": (4,), "wrapper": spectral_normalization}, (), 26),
    ],
)
def test_shapes_and_parameters(shapes, options, output, parameters):
    network = mlp(input_shape=shapes[0], output_shape=shapes[1], **options)
    assert network.count_params() == parameters
    assert network.output_shape == (None, *output)
    assert network(tf.zeros([5, *shapes[0]])).shape == (5, *output)


def test_by_hand():
    # x = (1, -2), times the gain of 2: (2, -4). Hidden: relu(2 * 1 - 4 * 1 + 1) = 0 and relu(2 * 3 + 4 * 1) = 10.
    # Output: 0 * 7 + 10 * 0.5 - 1 = 4.
    network = mlp(input_shape=(2,), output_shape=(), hidden=(2,), gain=2.0)
    weights = [[[1, 3], [1, -1]], [1, 0], [[7], [0.5]], [-1]]
    network.set_weights([np.array(weight, np.float32) for weight in weights])
    np.testing.assert_allclose(network(tf.constant([[1.0, -2.0]])), [4.0])


def test_order_and_names_of_the_parts():
    network = mlp(
        input_shape=(2,), output_shape=(), hidden=(3,), activation="tanh", normalization=batch_normalization, gain=0.5
    )
    kinds = [type(layer) for layer in network.layers]
    names = ["Rescaling", "Dense", "BatchNormalization", "Activation", "Dense", "Reshape"]
    assert kinds == [getattr(keras.layers, name) for name in names]
    assert network.layers[3].activation is keras.activations.tanh


def test_a_bounded_output():
    # The logit of 3 with all weights 1 and no hidden layer is 3. 6 tanh(x) is 6 at infinity and has a slope of 6 at 0;
    # 5 sigmoid(x) - 2.5 = 2.5 tanh(x / 2) is 2.5 there, with a slope of 1.25 (MD-GAN's generator and discriminator).
    wide, narrow = bounded(bound=6.0, slope=6.0), bounded(bound=2.5, slope=1.25)
    for activation, expected in ((wide, 6 * np.tanh(3.0)), (narrow, 5 / (1 + np.exp(-3.0)) - 2.5)):
        network = mlp(input_shape=(1,), output_shape=(1,), hidden=(), output_activation=activation)
        network.set_weights([np.ones((1, 1), np.float32), np.zeros(1, np.float32)])
        np.testing.assert_allclose(network(tf.constant([[3.0]])), [[expected]], rtol=1e-6)


def test_first_weights():
    initializer = partial(orthogonal_weights, gain=2.0)
    kernels = mlp(input_shape=(40,), output_shape=(50,), hidden=(60,), initializer=initializer).weights[::2]
    # Orthogonal rows of length 2, and no two layers alike.
    np.testing.assert_allclose(kernels[0] @ tf.transpose(kernels[0]), 4 * np.eye(40), atol=1e-5)
    np.testing.assert_allclose(tf.transpose(kernels[1]) @ kernels[1], 4 * np.eye(50), atol=1e-5)
    initializer = partial(normal_weights, stddev=0.02)
    square = mlp(input_shape=(300,), output_shape=(300,), hidden=(300,), initializer=initializer)
    first, second = square.weights[0].numpy(), square.weights[2].numpy()
    # 90,000 numbers: their deviation is known to .02 / sqrt(180,000).
    assert first.std() == pytest.approx(0.02, abs=2e-4) and second.std() == pytest.approx(0.02, abs=2e-4)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02
    with pytest.raises(ValueError, match="stddev is 0.0; it must be positive"):
        normal_weights(stddev=0.0)


def test_widths_must_be_positive():
    with pytest.raises(ValueError, match=r"mlp.hidden is \(8, 0\)"):
        mlp(input_shape=(2,), output_shape=(2,), hidden=(8, 0))
