"""Spectral normalization against a singular value decomposition and numeric gradients; Addons' wrapper beside it."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.functional import power_iteration
from bms_tf.core.keras import keras
from bms_tf.networks.layers import SpectralNormalization, addons_spectral_normalization, spectral_normalization, wrap

LAYERS = {
    "dense": (lambda **options: keras.layers.Dense(5, **options), (3, 4)),
    "conv": (lambda **options: keras.layers.Conv2D(5, 3, padding="same", **options), (2, 6, 6, 3)),
    "transpose": (lambda **options: keras.layers.Conv2DTranspose(4, 3, strides=2, **options), (2, 4, 4, 3)),
}


def make(kind: str, dtype: str = "float32", **options):
    """A wrapped layer, built, and an input for it."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    layer, shape = LAYERS[kind]
    wrapped = SpectralNormalization(layer(dtype=dtype), dtype=dtype, **options)
    wrapped.build((None, *shape[1:]))
    wrapped.layer.kernel.assign(rng.normal(size=wrapped.layer.kernel.shape))
    wrapped.layer.bias.assign(rng.normal(size=wrapped.layer.bias.shape))
    return wrapped, tf.constant(rng.normal(size=shape), dtype)


def loss_of(layer, x):
    return tf.reduce_sum(tf.sin(layer(x, training=True)))


def normalize(v):
    return v / np.linalg.norm(v)


@pytest.mark.parametrize("kind", LAYERS)
def test_sigma_is_the_largest_singular_value(kind):
    wrapped, x = make(kind, "float64", power_iterations=500)
    wrapped.power_iteration()
    kernel = wrapped.layer.kernel.numpy()
    sigma = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    assert float(wrapped.sigma()) == pytest.approx(sigma, rel=1e-9)
    # The layer's output is that of the plain layer with the kernel divided.
    plain = LAYERS[kind][0](dtype="float64")
    plain.build((None, *x.shape[1:]))
    plain.set_weights([kernel / sigma, wrapped.layer.bias.numpy()])
    np.testing.assert_allclose(wrapped(x), plain(x), rtol=1e-9)


def test_sigma_by_hand():
    # W = [[3, 0], [4, 0], [0, 1]]: the columns are orthogonal, of lengths 5 and 1. For u = (0.6, 0.8),
    # W u = (1.8, 2.4, 0.8), so v = W u / sqrt(9.64) and v' W u = sqrt(9.64). One power iteration: W' v is along
    # W' W u = (25 * 0.6, 1 * 0.8) = (15, 0.8).
    wrapped = SpectralNormalization(keras.layers.Dense(2))
    wrapped.build((None, 3))
    wrapped.layer.kernel.assign([[3.0, 0.0], [4.0, 0.0], [0.0, 1.0]])
    wrapped.u.assign([[0.6, 0.8]])
    assert float(wrapped.sigma()) == pytest.approx(np.sqrt(9.64))
    wrapped.power_iteration()
    np.testing.assert_allclose(wrapped.u, [normalize([15, 0.8])], rtol=1e-6)
    wrapped.u.assign([[1.0, 0.0]])
    assert float(wrapped.sigma()) == pytest.approx(5)


@pytest.mark.parametrize("iterations", [1, 3])
def test_u_moves_once_per_power_iteration_and_never_in_a_call(iterations):
    wrapped, x = make("conv", "float64", power_iterations=iterations)
    before, w = wrapped.u.numpy()[0], wrapped.layer.kernel.numpy().reshape(-1, 5)
    first, second = (wrapped(x, training=True).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(wrapped.u.numpy()[0], before)
    # `iterations` rounds of v = W u / |W u|, u = W' v / |W' v|; through the network that holds the layer.
    power_iteration(keras.Sequential([keras.Input(x.shape[1:]), wrapped]))
    expected = before
    for _ in range(iterations):
        expected = normalize(w.T @ normalize(w @ expected))
    np.testing.assert_allclose(wrapped.u.numpy()[0], expected, rtol=1e-9)


def test_a_built_layer_starts_near_its_sigma():
    keras.utils.set_random_seed(0)
    wrapped = SpectralNormalization(keras.layers.Dense(8))
    wrapped.build((None, 8))
    sigma = np.linalg.svd(wrapped.layer.kernel.numpy(), compute_uv=False)[0]
    assert 0.9 * sigma < float(wrapped.sigma()) <= sigma * (1 + 1e-6)


def numeric_gradient(f, variable, step=1e-5):
    """Central differences of f with respect to each entry of `variable`: in float64, good to about 1e-10."""
    start = variable.numpy()
    gradient = np.zeros_like(start)
    for index in np.ndindex(*start.shape):
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * step
            variable.assign(moved)
            gradient[index] += sign * float(f()) / (2 * step)
    return gradient


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-5)])
@pytest.mark.parametrize("kind", LAYERS)
def test_the_gradient_is_the_numeric_one(kind, dtype, tolerance):
    wrapped, x = make(kind, dtype)
    kernel = wrapped.layer.kernel
    start = kernel.numpy()
    with tf.GradientTape() as tape:
        loss = loss_of(wrapped, x)
    gradient = tape.gradient(loss, kernel).numpy()
    np.testing.assert_array_equal(kernel, start)
    # W / sigma does not change when W is scaled, so the gradient is orthogonal to W.
    assert abs(np.sum(gradient * start)) < tolerance * np.linalg.norm(gradient) * np.linalg.norm(start)
    double, x = make(kind, "float64")
    double.set_weights(wrapped.get_weights())
    expected = numeric_gradient(lambda: loss_of(double, x), double.layer.kernel)
    assert np.linalg.norm(gradient - expected) < tolerance * np.linalg.norm(expected)


def test_addons_gradient_is_wrong():
    # The reason for a wrapper of our own. The loss L = |x W / sigma|^2 does not change when W is scaled, so that
    # <gradient, W> = 0. Addons assigns V = W / sigma to the kernel and takes the gradient of |x V|^2 with respect to V,
    # where <gradient, V> = 2 L (Euler, degree 2). A second call in the same step sees other weights.
    tfa = pytest.importorskip("tensorflow_addons")
    keras.utils.set_random_seed(0)
    x = tf.random.normal([3, 4])
    for wrapper, product in ((SpectralNormalization, 0.0), (tfa.layers.SpectralNormalization, 2.0)):
        wrapped = wrapper(keras.layers.Dense(5, use_bias=False))
        wrapped.build((None, 4))
        kernel = wrapped.layer.kernel
        start = kernel.numpy()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(wrapped(x, training=True) ** 2)
        gradient = tape.gradient(loss, kernel)
        assert float(tf.reduce_sum(gradient * kernel) / loss) == pytest.approx(product, abs=1e-5)
        again = tf.reduce_sum(wrapped(x, training=True) ** 2)
        assert np.array_equal(kernel, start) == (float(again) == float(loss)) == (wrapper is SpectralNormalization)


def test_under_xla_it_is_the_same():
    wrapped, x = make("conv")

    def value_and_gradient():
        with tf.GradientTape() as tape:
            loss = loss_of(wrapped, x)
        return loss, tape.gradient(loss, wrapped.layer.kernel)

    for compiled, eager in zip(tf.function(value_and_gradient, jit_compile=True)(), value_and_gradient()):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-5)
    before = wrapped.u.numpy()
    tf.function(wrapped.power_iteration, jit_compile=True)()
    assert np.abs(wrapped.u - before).max() > 0


def test_variables():
    # Dense 4 -> 5: a kernel of 20 and a bias of 5 are trained, u of 5 is not.
    wrapped, _ = make("dense")
    assert [v.shape.as_list() for v in wrapped.trainable_variables] == [[4, 5], [5]]
    assert [v.shape.as_list() for v in wrapped.non_trainable_variables] == [[1, 5]]


def test_config_round_trip():
    wrapped, x = make("conv", power_iterations=3, name="normalized")
    copy = SpectralNormalization.from_config(wrapped.get_config())
    assert (copy.name, copy.power_iterations, copy.layer.kernel_size) == ("normalized", 3, (3, 3))
    copy.build((None, *x.shape[1:]))
    copy.set_weights(wrapped.get_weights())
    np.testing.assert_array_equal(copy(x), wrapped(x))


def test_constructor_takes_addons_arguments():
    dense = keras.layers.Dense(2)
    assert SpectralNormalization(dense).power_iterations == 1
    wrapped = SpectralNormalization(dense, 2, name="n", dtype="float64")
    assert (wrapped.layer, wrapped.power_iterations, wrapped.name, wrapped.dtype) == (dense, 2, "n", "float64")


def test_what_cannot_be_normalized_is_named():
    with pytest.raises(ValueError, match="cannot normalize a BatchNormalization: allowed are Dense, Conv2D, Conv2DT"):
        SpectralNormalization(keras.layers.BatchNormalization())
    with pytest.raises(ValueError, match="power_iterations is 0"):
        SpectralNormalization(keras.layers.Dense(2), power_iterations=0)


def test_wrappers_for_gin(monkeypatch):
    dense = keras.layers.Dense(2)
    assert wrap(dense) is dense
    wrapped = wrap(dense, lambda layer: spectral_normalization(layer, 4))
    assert isinstance(wrapped, SpectralNormalization) and wrapped.power_iterations == 4
    monkeypatch.setitem(sys.modules, "tensorflow_addons", None)  # as if it were not installed
    with pytest.raises(ValueError, match="tensorflow-addons is not installed.*use spectral_normalization"):
        addons_spectral_normalization(dense)


def test_addons_wrapper_for_gin():
    tfa = pytest.importorskip("tensorflow_addons")
    wrapped = addons_spectral_normalization(keras.layers.Dense(2), 3)
    assert isinstance(wrapped, tfa.layers.SpectralNormalization) and wrapped.power_iterations == 3
