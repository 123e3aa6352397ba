"""Networks run with other tensors or other statistics than their own."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.functional import frozen_statistics, power_iteration, substituted, with_features
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


@pytest.mark.parametrize("jit_compile", [False, True])
def test_features_are_what_the_last_weights_are_given(jit_compile):
    # x (1, 3, 1) goes through a 1 x 1 convolution by 2, and a head of weights 1, 10, 100 under a wrapper.
    head = SpectralNormalization(keras.layers.Dense(1))
    layers = [keras.layers.Conv2D(1, 1), keras.layers.Flatten(), head, keras.layers.Reshape(())]
    network = keras.Sequential([keras.Input((1, 3, 1)), *layers])
    network.layers[0].set_weights([np.full([1, 1, 1, 1], 2.0), np.array([0.5])])
    head.layer.set_weights([np.array([[1.0], [10.0], [100.0]]), np.array([7.0])])
    x = tf.reshape(tf.range(6.0), [2, 1, 3, 1])
    run = tf.function(lambda x: with_features(network, x, training=True), jit_compile=jit_compile)
    logits, features = run(x)
    np.testing.assert_allclose(features, [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]])
    np.testing.assert_allclose(logits, network(x), rtol=1e-6)
    with substituted(network, {id(network.layers[0].kernel): tf.fill([1, 1, 1, 1], 3.0)}):
        np.testing.assert_allclose(with_features(network, x, training=True)[1][0], [0.5, 3.5, 6.5])


def test_features_of_a_convolutional_head_are_flat():
    network = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Conv2D(1, 2), keras.layers.Reshape(())])
    x = tf.reshape(tf.range(24.0), [2, 2, 2, 3])
    np.testing.assert_array_equal(with_features(network, x, training=False)[1], tf.reshape(x, [2, 12]))


def test_features_of_a_network_in_a_network():
    # The head is the last layer of the inner network, behind 2 (3 x + 3 y).
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False), keras.layers.Dense(2)])
    inner.layers[0].set_weights([np.array([[2.0], [2.0]])])
    network = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(3.0), inner])
    x = tf.constant([[1.0, 2.0], [0.5, 0.0]])
    outputs, features = with_features(network, x, training=False)
    np.testing.assert_allclose(features, [[18], [3]])
    np.testing.assert_allclose(outputs, network(x), rtol=1e-6)
