"""Networks run with other tensors or other statistics than their own."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.functional import frozen_statistics, power_iteration, substituted
from bms_tf.core.keras import keras
from bms_tf.networks.layers import SpectralNormalization


@pytest.fixture
def network():
    """x -> 2 x * 3, the second factor in a nested network."""
    inner = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False), inner])
    network.set_weights([np.array([[2.0]]), np.array([[3.0]])])
    return network


X = tf.constant([[1.0], [-4.0]])


def test_tensors_take_the_place_of_variables(network):
    first, second = network.trainable_variables
    with substituted(network, {id(second): tf.constant([[10.0]])}):
        np.testing.assert_allclose(network(X), [[20], [-80]])
    np.testing.assert_allclose(network(X), [[6], [-24]])
    assert network.trainable_variables[1] is second


def test_variables_return_after_an_error(network):
    with pytest.raises(KeyError), substituted(network, {id(network.trainable_variables[0]): tf.zeros([1, 1])}):
        raise KeyError
    np.testing.assert_allclose(network(X), [[6], [-24]])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_flow_through_an_update(network, jit_compile):
    # One step of descent on a b, at the rate r: a' = a - r b, so that a' b = a b - r b^2, whose derivatives are b with
    # respect to a, and a - 2 r b with respect to b: 3 and 2 - 2 * 0.1 * 3 = 1.4.
    a, b = network.trainable_variables

    @tf.function(jit_compile=jit_compile)
    def through_one_update():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                loss = network(X[:1])
            moved = a - 0.1 * tape.gradient(loss, a)
            with substituted(network, {id(a): moved}):
                loss = network(X[:1])
        return loss, outer.gradient(loss, [a, b])

    loss, gradients = through_one_update()
    assert float(loss[0, 0]) == pytest.approx(6 - 0.1 * 9)
    np.testing.assert_allclose(tf.squeeze(gradients), [3, 1.4], rtol=1e-6)
    np.testing.assert_allclose(network(X), [[6], [-24]])


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("shape", [(2,), (3, 3, 2)])  # images take another path through Keras, the fused one
def test_frozen_statistics(shape, in_graph):
    layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-6)
    network = keras.Sequential([keras.Input(shape), keras.Sequential([keras.Input(shape), layer])])
    layer.moving_mean.assign([5.0, 6.0])
    x = np.random.default_rng(0).normal(3, 2, size=(64, *shape)).astype(np.float32)
    axes = tuple(range(len(shape)))

    def frozen():
        with frozen_statistics(network):
            return network(x, training=True)

    y = (tf.function(frozen) if in_graph else frozen)()
    np.testing.assert_allclose(y, (x - x.mean(axes)) / x.std(axes), atol=1e-4)
    np.testing.assert_array_equal(layer.moving_mean, [5, 6])
    np.testing.assert_array_equal(layer.moving_variance, [1, 1])
    # Afterwards they move again, a tenth of the way.
    network(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * np.array([5, 6]) + 0.1 * x.mean(axes), rtol=1e-5)


def test_power_iteration_reaches_every_nested_layer():
    inner = keras.Sequential([keras.Input((4,)), SpectralNormalization(keras.layers.Dense(3))])
    network = keras.Sequential([keras.Input((5,)), SpectralNormalization(keras.layers.Dense(4)), inner])
    layers = [network.layers[0], inner.layers[0]]
    for layer in layers:
        layer.u.assign(tf.ones_like(layer.u))
    power_iteration(network)
    # A round gives a vector of length 1.
    for layer in layers:
        assert float(tf.norm(layer.u)) == pytest.approx(1)
