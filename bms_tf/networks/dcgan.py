"""DCGAN networks (Radford, Metz, Chintala 2016) for square images of 8, 16, 28, 32, 64 or 128 pixels."""

from collections.abc import Sequence

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import Normalization, Wrapper, activated, check_square, dense_output, wrap


def _widths(size: int, width: int) -> list[int]:
    """Channels of the maps of size/2, size/4 and so on down to 4 x 4 (7 x 7 for 28 pixels), doubling at each."""
    halvings = {8: 1, 16: 2, 28: 2, 32: 3, 64: 4, 128: 5}
    if size not in halvings:
        raise ValueError(f"a DCGAN network cannot make images of {size} pixels; allowed are {sorted(halvings)}")
    return [width * 2**i for i in range(halvings[size])]


@gin.configurable
def dcgan_generator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 64,
    output_activation: str | None = "tanh",
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Codes [B, Z] to images [B, H, H, C] in [-1, 1], by a dense layer and 4 x 4 transposed convolutions of stride 2.

    Args:
        input_shape: (Z,).
        output_shape: (H, H, C).
        width: channels at half the size, doubled at each smaller map (64 pixels: 512, 256, 128, 64).
        output_activation: of the last layer.
        normalization: makes the layer put before each hidden activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a size that the network cannot make.
    """
    size, channels = check_square(output_shape, "a DCGAN network"), output_shape[-1]
    *larger, smallest = _widths(size, width)
    side, bias = size // 2 ** (len(larger) + 1), normalization is None
    layers = [keras.Input(tuple(input_shape)), wrapper(keras.layers.Dense(side * side * smallest, use_bias=bias))]
    layers.append(keras.layers.Reshape((side, side, smallest)))
    layers += ([] if normalization is None else [normalization()]) + [keras.layers.ReLU()]
    for filters in reversed(larger):
        layer = keras.layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=bias)
        layers += activated(layer, normalization, keras.layers.ReLU(), wrapper)
    last = keras.layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation=output_activation)
    layers.append(wrapper(last))
    return keras.Sequential(layers)


def _convolutions(input_shape, width, normalization, wrapper, activation) -> list:
    """4 x 4 convolutions of stride 2, the first without normalization."""
    first, *others = _widths(check_square(input_shape, "a DCGAN network"), width)
    layers = [keras.Input(tuple(input_shape))]
    layers += activated(keras.layers.Conv2D(first, 4, strides=2, padding="same"), None, activation(), wrapper)
    for filters in others:
        layer = keras.layers.Conv2D(filters, 4, strides=2, padding="same", use_bias=normalization is None)
        layers += activated(layer, normalization, activation(), wrapper)
    return layers


def _downward(input_shape, output_shape, width, normalization, wrapper, activation) -> keras.Sequential:
    """The convolutions and a dense layer to `output_shape`."""
    layers = _convolutions(input_shape, width, normalization, wrapper, activation)
    return keras.Sequential([*layers, *dense_output(output_shape, wrapper)])


def _leaky() -> keras.layers.Layer:
    return keras.layers.LeakyReLU(0.2)


@gin.configurable
def dcgan_trunk(
    *,
    input_shape: Sequence[int],
    width: int = 64,
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """The discriminator without its dense layer: images [B, H, H, C] to the map of 4 x 4 (7 x 7 for 28 pixels).

    Args:
        input_shape: (H, H, C).
        width: as the generator's.
        normalization: makes the layer put before each activation but the first.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a size that the network cannot take.
    """
    return keras.Sequential(_convolutions(input_shape, width, normalization, wrapper, _leaky))


@gin.configurable
def dcgan_discriminator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 64,
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Images [B, H, H, C] to `output_shape`; leaky ReLU of slope 0.2.

    Args:
        input_shape: (H, H, C).
        output_shape: () for logits [B].
        width: as the generator's.
        normalization: makes the layer put before each activation but the first.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a size that the network cannot take.
    """
    return _downward(input_shape, output_shape, width, normalization, wrapper, _leaky)


@gin.configurable
def dcgan_encoder(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 64,
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """The transposed generator, without an activation of the output (alpha-GAN, appendix H.4).

    Args:
        input_shape: (H, H, C).
        output_shape: as many numbers as the posterior has.
        width: as the generator's.
        normalization: makes the layer put before each activation but the first.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for a size that the network cannot take.
    """
    return _downward(input_shape, output_shape, width, normalization, wrapper, keras.layers.ReLU)
