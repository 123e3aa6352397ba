"""Fully connected networks."""

import math
from collections.abc import Callable, Sequence

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import Initializer, Wrapper, wrap


@gin.configurable
def mlp(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    hidden: Sequence[int] = (128, 128),
    activation: str = "relu",
    output_activation: str | Callable | None = None,
    gain: float = 1.0,
    initializer: Initializer = keras.initializers.GlorotUniform,
    normalization: Callable[[], keras.layers.Layer] | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Hidden layers with an activation, and then a layer to `output_shape`.

    Source: the 2-D networks of VEEGAN (Srivastava et al. 2017) have two hidden layers of 128, the discriminator one.

    Args:
        input_shape: the shape of one example, which is flattened.
        output_shape: the shape of one output; () gives logits [B].
        hidden: the widths of the hidden layers.
        activation: of the hidden layers.
        output_activation: of the last layer; None: linear.
        gain: multiplies the input, and so sets the slope with which the network starts.
        initializer: makes the initializer of a layer's weights.
        normalization: makes the layer put before each hidden activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a width that is not positive.
    """
    if not all(width > 0 for width in hidden):
        raise ValueError(f"mlp.hidden is {tuple(hidden)}; every width must be positive")
    layers = [keras.Input(tuple(input_shape))]
    if len(input_shape) != 1:
        layers.append(keras.layers.Flatten())
    if gain != 1.0:
        layers.append(keras.layers.Rescaling(gain))
    for width in hidden:
        dense = keras.layers.Dense(width, use_bias=normalization is None, kernel_initializer=initializer())
        layers.append(wrapper(dense))
        if normalization is not None:
            layers.append(normalization())
        layers.append(keras.layers.Activation(activation))
    output = keras.layers.Dense(math.prod(output_shape), activation=output_activation, kernel_initializer=initializer())
    layers.append(wrapper(output))
    if len(output_shape) != 1:
        layers.append(keras.layers.Reshape(tuple(output_shape)))
    return keras.Sequential(layers)
