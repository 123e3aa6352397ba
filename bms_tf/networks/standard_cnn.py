"""The standard CNN of SN-GAN (Miyato et al. 2018, table 3), for square images whose side is a multiple of 8."""

from collections.abc import Sequence

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import Normalization, Wrapper, activated, check_square, dense_output, wrap


def _side(shape: Sequence[int]) -> int:
    size = check_square(shape, "the standard CNN")
    if size % 8:
        raise ValueError(f"the standard CNN cannot make images of {size} pixels; the size must be a multiple of 8")
    return size // 8


@gin.configurable
def standard_cnn_generator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 64,
    output_activation: str | None = "tanh",
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Codes [B, Z] to images [B, H, H, C] in [-1, 1]: three 4 x 4 transposed convolutions of stride 2, one of 3 x 3.

    Args:
        input_shape: (Z,).
        output_shape: (H, H, C).
        width: channels at full size (64 in the paper), doubled at each smaller map.
        output_activation: of the last layer.
        normalization: makes the layer put before each hidden activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a size that the network cannot make.
    """
    side, bias = _side(output_shape), normalization is None
    layers = [
        keras.Input(tuple(input_shape)),
        wrapper(keras.layers.Dense(side * side * 8 * width)),
        keras.layers.Reshape((side, side, 8 * width)),
    ]
    for filters in (4 * width, 2 * width, width):
        layer = keras.layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=bias)
        layers += activated(layer, normalization, keras.layers.ReLU(), wrapper)
    layers.append(wrapper(keras.layers.Conv2D(output_shape[-1], 3, padding="same", activation=output_activation)))
    return keras.Sequential(layers)


@gin.configurable
def standard_cnn_discriminator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 64,
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Images [B, H, H, C] to `output_shape`: seven convolutions, leaky ReLU of slope 0.1.

    It is also the encoder. The papers define none; the discriminator's trunk without spectral normalization is ours.

    Args:
        input_shape: (H, H, C).
        output_shape: () for logits [B].
        width: as the generator's.
        normalization: makes the layer put before each activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a size that the network cannot take.
    """
    _side(input_shape)
    layers = [keras.Input(tuple(input_shape))]
    # (filters, kernel, stride); public code often has 64, 128, 128, 256, 256, 512, 512.
    convolutions = [(filters, *shape) for filters in (width, 2 * width, 4 * width) for shape in ((3, 1), (4, 2))]
    for filters, kernel, stride in [*convolutions, (8 * width, 3, 1)]:
        convolution = keras.layers.Conv2D(
            filters, kernel, strides=stride, padding="same", use_bias=normalization is None
        )
        layers += activated(convolution, normalization, keras.layers.LeakyReLU(0.1), wrapper)
    return keras.Sequential([*layers, *dense_output(output_shape, wrapper)])
