"""Mixed precision: what is computed in bfloat16, and what stays in float32."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core import config, errors, training
from bms_tf.core.functional import computing_in_bfloat16, substituted, with_features
from bms_tf.core.keras import every_layer, keras
from bms_tf.core.precision import computing_in, returning_float32
from bms_tf.networks.dcgan import dcgan_discriminator, dcgan_generator
from bms_tf.networks.layers import SpectralNormalization

layers = keras.layers


def test_layers_made_inside_compute_in_bfloat16_with_float32_weights():
    with computing_in("bfloat16"):
        inside = layers.Dense(3)
    outside = layers.Dense(3)
    x = tf.ones([2, 4])
    assert (inside(x).dtype, outside(x).dtype) == (tf.bfloat16, tf.float32)
    assert {v.dtype for v in inside.variables} == {tf.float32}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_setting_of_a_recipe(precision):
    config.load(
        ["gin/ring.gin"],
        [
            f'train.precision = "{precision}"',
            *(f"{scope}mlp.hidden = (8,)" for scope in ("", "generator/", "encoder/")),
        ],
    )
    system = training.Run().system
    for name, network in system.networks.items():
        dense = [layer for layer in every_layer(network) if isinstance(layer, layers.Dense)]
        assert dense and {layer.compute_dtype for layer in dense} == {precision}, name
        assert {v.dtype for v in network.variables} == {tf.float32}
    assert system.generate(tf.zeros([2, system.code_size])).dtype == tf.float32


def test_another_precision_is_one_line():
    with pytest.raises(errors.ConfigError, match=r"train.precision is 'float16'; it must be .*'float32', 'bfloat16'"):
        config.load(["gin/ring.gin"], ['train.precision = "float16"'])


def test_a_network_returns_float32():
    # 1 + 2^-7 is in bfloat16, 1 + 2^-9 is not: it has 8 bits. So the sum is rounded to 1.
    with computing_in("bfloat16"):
        network = keras.Sequential([keras.Input((2,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    network = returning_float32(network)
    x = tf.constant([[1.0, 2.0**-7], [1.0, 2.0**-9]])
    for output in (network(x), tf.function(network)(x), with_features(network, x, training=False)[0]):
        assert output.dtype == tf.float32
        np.testing.assert_array_equal(output[:, 0], [1 + 2**-7, 1.0])
    # And the gradient is in float32, as the weights are.
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(x))
    assert tape.gradient(loss, network.trainable_variables)[0].dtype == tf.float32


def test_spectral_normalization_estimates_sigma_in_float32():
    # The kernel is diag(1 + 2^-9, 0.5), which bfloat16 would round to diag(1, 0.5); sigma is 1 + 2^-9.
    with computing_in("bfloat16"):
        layer = SpectralNormalization(layers.Dense(2, use_bias=False))
        kernel = np.diag([1 + 2**-9, 0.5]).astype(np.float32)
        layer.layer.kernel_initializer = keras.initializers.Constant(kernel)
        output = layer(tf.eye(2))
    for _ in range(10):
        layer.power_iteration()
    assert layer.u.dtype == layer.sigma().dtype == tf.float32
    assert float(layer.sigma()) == pytest.approx(1 + 2**-9, rel=1e-6)
    assert output.dtype == tf.bfloat16, "and the layer itself computes in bfloat16"
    # In a traced call as well, where Keras casts the weights that a layer reads.
    seen = []
    original = layer.sigma
    layer.sigma = lambda: seen.append(original()) or seen[-1]
    tf.function(layer)(tf.eye(2))
    assert seen[0].dtype == tf.float32


@pytest.mark.parametrize("shape", [(64, 1), (16, 2, 2, 1)], ids=["dense", "images"])
@pytest.mark.parametrize("synchronized", [False, True])
def test_batch_statistics_are_in_float32(shape, synchronized):
    # Half of the 64 values are 256, half 258: the mean is 257, which bfloat16 does not have (it goes by twos there).
    # The variance is 1; Keras's fused kernel, for images on one device, keeps the unbiased 64 / 63.
    x = np.full(64, 256.0, np.float32)
    x[::2] = 258.0
    with computing_in("bfloat16"):
        layer = layers.BatchNormalization(momentum=0.0, synchronized=synchronized)
    layer(tf.reshape(x, shape), training=True)
    np.testing.assert_array_equal(layer.moving_mean, [257.0])
    assert float(layer.moving_variance[0]) == pytest.approx(1.0, rel=1 / 60)


def test_substituted_weights_are_read_as_the_layers_own():
    # A dense layer reads bfloat16, batch normalization float32: with 2 w in the place of each weight w, the first
    # doubles x, and then 2 * (2 x) + 2 (moving mean 0 and variance 1).
    with computing_in("bfloat16"):
        network = keras.Sequential(
            [
                keras.Input((1,)),
                layers.Dense(1, use_bias=False, kernel_initializer="ones"),
                layers.BatchNormalization(epsilon=0.0, beta_initializer="ones"),
            ]
        )
    twice = {id(v): 2.0 * tf.convert_to_tensor(v) for v in network.trainable_variables}
    with substituted(network, twice):
        output = network(tf.constant([[3.0]]), training=False)
    assert output.numpy().item() == 14.0
    assert network(tf.constant([[3.0]]), training=False).numpy().item() == 4.0


@pytest.mark.parametrize("in_graph", [False, True])
def test_a_network_made_for_float32_computes_as_one_made_for_bfloat16(in_graph):
    # The independent implementation is Keras's own mixed precision, with the same weights: not a bit differs.
    def made():
        generator = dcgan_generator(
            input_shape=(5,), output_shape=(16, 16, 3), width=4, normalization=layers.BatchNormalization
        )
        discriminator = dcgan_discriminator(
            input_shape=(16, 16, 3), output_shape=(), width=4, wrapper=SpectralNormalization
        )
        return generator, discriminator

    exact = made()
    with computing_in("bfloat16"):
        rounded = tuple(returning_float32(network) for network in made())
    for one, other in zip(exact, rounded):
        other.set_weights(one.get_weights())
    z = tf.random.stateless_normal([8, 5], [0, 0])

    def score(networks):
        images = networks[0](z, training=True)
        return images, networks[1](images, training=True)

    def in_bfloat16():
        with computing_in_bfloat16(*exact):
            return score(exact)

    before = score(exact)
    expected = score(rounded)
    for output, reference, float32 in zip((tf.function(in_bfloat16) if in_graph else in_bfloat16)(), expected, before):
        assert output.dtype == tf.float32
        np.testing.assert_allclose(output, reference, rtol=0, atol=1e-6 if in_graph else 0)
        assert np.abs(output - float32).max() > 1e-4, "which is not what float32 gives"
    # Afterwards they are what they were.
    for output, float32 in zip(score(exact), before):
        np.testing.assert_array_equal(output, float32)
    assert {layer.compute_dtype for network in exact for layer in every_layer(network)} == {"float32"}
