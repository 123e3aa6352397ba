"""Layers and layer wrappers that the networks share."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import gin
import tensorflow as tf

from bms_tf.core.keras import keras

Wrapper = Callable[[keras.layers.Layer], keras.layers.Layer]
Initializer = Callable[[], keras.initializers.Initializer]
Normalization = Callable[[], keras.layers.Layer]


class SpectralNormalization(keras.layers.Wrapper):
    """Divides a layer's kernel by an estimate of its largest singular value (Miyato et al. 2018, eq. 8 and 9).

    The kernel itself is never written. The forward pass uses W / sigma with sigma = v' W u. The singular vectors u and
    v are constants and W is not, so the gradient sees sigma. One call of `power_iteration` per update of the player
    refines u. The passes of one update, of real and fake data and of penalties, see the same weights. Kernels of
    convolutions are reshaped to [-1, last axis], as Miyato et al. do.

    It takes the arguments of `tfa.layers.SpectralNormalization`.
    """

    WARM_UP = 10

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, **kwargs: Any):
        # The estimate is made in the type of the kernel, in whatever precision the layer computes.
        """Wraps a layer.

        Args:
            layer: a Dense, Conv2D or Conv2DTranspose.
            power_iterations: steps of the power method for one call of `power_iteration`, at least 1.
            **kwargs: as of any layer of Keras.

        Raises:
            ValueError: for another layer, or less than one step.
        """
        super().__init__(layer, **{"dtype": layer.variable_dtype, **kwargs, "autocast": False})
        if not isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)):  # Conv2DTranspose is a Conv2D
            raise ValueError(f"cannot normalize a {type(layer).__name__}: allowed are Dense, Conv2D, Conv2DTranspose")
        if power_iterations < 1:
            raise ValueError(f"power_iterations is {power_iterations}; it must be at least 1")
        self.power_iterations = power_iterations

    def build(self, input_shape=None):
        super().build(input_shape)
        self.u = self.add_weight(
            name="sn_u",
            shape=(1, self.layer.kernel.shape[-1]),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        with tf.init_scope():
            self.u.assign(self._iterated(self.WARM_UP))

    def _matrix(self) -> tf.Tensor:
        return tf.reshape(self.layer.kernel, [-1, self.layer.kernel.shape[-1]])

    def _iterated(self, iterations: int) -> tf.Tensor:
        w, u = self._matrix(), tf.convert_to_tensor(self.u)
        for _ in range(iterations):
            v = tf.math.l2_normalize(tf.matmul(u, w, transpose_b=True))
            u = tf.math.l2_normalize(tf.matmul(v, w))
        return u

    def power_iteration(self):
        """Refine u by `power_iterations` steps of the power method."""
        self.u.assign(self._iterated(self.power_iterations))

    def sigma(self) -> tf.Tensor:
        """The estimate of the kernel's largest singular value, a scalar, differentiable in the kernel."""
        w, u = self._matrix(), tf.convert_to_tensor(self.u)
        v = tf.stop_gradient(tf.math.l2_normalize(tf.matmul(u, w, transpose_b=True)))
        return tf.reduce_sum(tf.matmul(v, w) * u)

    def call(self, inputs):
        # A layer reads its kernel from its attributes when it is called: put W / sigma in its place for this call.
        kernel = self.layer.__dict__["kernel"]
        self.layer.__dict__["kernel"] = tf.cast(kernel / self.sigma(), self.layer.compute_dtype)
        try:
            return self.layer(inputs)
        finally:
            self.layer.__dict__["kernel"] = kernel

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}


@gin.configurable
def spectral_normalization(layer: keras.layers.Layer, power_iterations: int = 1) -> keras.layers.Layer:
    """`layer` in `SpectralNormalization`.

    Args:
        layer: a Dense, Conv2D or Conv2DTranspose.
        power_iterations: steps of the power method for one update of the player, at least 1.

    Raises:
        ValueError: for another layer, or less than one step.
    """
    return SpectralNormalization(layer, power_iterations=power_iterations)


@gin.configurable
def addons_spectral_normalization(layer: keras.layers.Layer, power_iterations: int = 1) -> keras.layers.Layer:
    """`layer` in TensorFlow Addons' wrapper, which assigns W / sigma to the kernel at each training call.

    Its gradient does not see sigma.

    Args:
        layer: one that the wrapper takes.
        power_iterations: steps of the power method for one training call.

    Raises:
        ValueError: where tensorflow-addons is not installed.
    """
    try:
        import tensorflow_addons as tfa  # pyright: ignore[reportMissingImports], Python 3.11 alone has it
    except ImportError:
        raise ValueError(
            "tensorflow-addons is not installed (it needs Python 3.11); use spectral_normalization"
        ) from None
    return tfa.layers.SpectralNormalization(layer, power_iterations=power_iterations)


@gin.configurable
def wrap(layer: keras.layers.Layer, wrapper: Wrapper | None = None) -> keras.layers.Layer:
    """`layer` in `wrapper`. Through this function, a gin file wraps every layer with weights of a network.

    `discriminator/wrap.wrapper = @spectral_normalization` does so for the network built in that scope.

    Args:
        layer: one with weights.
        wrapper: None leaves the layer as it is.
    """
    return layer if wrapper is None else wrapper(layer)


@gin.configurable
def orthogonal_weights(gain: float = 1.0) -> keras.initializers.Initializer:
    """First weights with orthogonal rows or columns, times `gain` (Saxe, McClelland, Ganguli 2014)."""
    return keras.initializers.Orthogonal(gain)


@gin.configurable
def normal_weights(*, stddev: float = gin.REQUIRED) -> keras.initializers.Initializer:
    """First weights from a normal distribution around 0.

    Raises:
        ValueError: for a standard deviation that is not positive.
    """
    if not stddev > 0:
        raise ValueError(f"normal_weights.stddev is {stddev}; it must be positive")
    return keras.initializers.RandomNormal(stddev=stddev)


@gin.configurable
def bounded(*, bound: float = gin.REQUIRED, slope: float = 1.0) -> Callable[[tf.Tensor], tf.Tensor]:
    """An activation that stays within (-bound, bound): bound * tanh(slope * x / bound).

    Args:
        bound: of the output's absolute value.
        slope: at 0.
    """
    return lambda x: bound * tf.tanh(slope / bound * x)


@gin.configurable
def batch_normalization(momentum: float = 0.99) -> keras.layers.Layer:
    """Batch normalization by each replica's own batch."""
    return keras.layers.BatchNormalization(momentum=momentum)


@gin.configurable
def synchronized_batch_normalization(momentum: float = 0.99) -> keras.layers.Layer:
    """Batch normalization by the batch over all replicas."""
    return keras.layers.BatchNormalization(momentum=momentum, synchronized=True)


def activated(
    layer: keras.layers.Layer, normalization: Normalization | None, activation: keras.layers.Layer, wrapper: Wrapper
) -> list[keras.layers.Layer]:
    """A wrapped layer with weights, and what follows it."""
    return [wrapper(layer), *([] if normalization is None else [normalization()]), activation]


def dense_output(output_shape: Sequence[int], wrapper: Wrapper) -> list[keras.layers.Layer]:
    """From a map to `output_shape`, () for logits [B], by a dense layer."""
    layers = [keras.layers.Flatten(), wrapper(keras.layers.Dense(math.prod(output_shape)))]
    return layers if len(output_shape) == 1 else [*layers, keras.layers.Reshape(tuple(output_shape))]


def check_square(shape: Sequence[int], what: str) -> int:
    """The side H of images [H, H, C]. Raises ValueError, naming `what` was given it, for another shape."""
    if len(shape) != 3 or shape[0] != shape[1]:
        raise ValueError(f"{what} works on square images [H, H, C]; it was given {tuple(shape)}")
    return shape[0]


class Dropout(keras.layers.Layer):
    """Dropout (Srivastava et al. 2014) with keyed noise: a resumed run drops what it would have dropped.

    While a system's losses are computed, `keys` gives a fresh `Key` for each call of the layer.
    """

    keys = None

    def __init__(self, rate: float, **kwargs: Any):
        """A layer that drops inputs in training.

        Args:
            rate: the share of the inputs that becomes 0, in [0, 1).
            **kwargs: as of any layer of Keras.

        Raises:
            ValueError: for a rate out of range.
        """
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"the rate of dropout is {rate}; it must lie in [0, 1)")
        self.rate = rate

    def call(self, inputs, training=False):
        if not training or self.keys is None:  # None: while the network is built
            return inputs
        kept = next(self.keys).uniform("dropout", inputs.shape) >= self.rate
        return tf.where(kept, inputs / (1.0 - self.rate), tf.zeros_like(inputs))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
