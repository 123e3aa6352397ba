"""The networks of Rosca et al. (2017), tables 3 and 4, for ColorMNIST: images of 28 pixels."""

from collections.abc import Callable, Sequence

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import Dropout, Normalization, Wrapper, activated, check_square, dense_output, wrap


def _check(shape: Sequence[int]) -> None:
    size = check_square(shape, "the ColorMNIST network")
    if size != 28:
        raise ValueError(f"the ColorMNIST network cannot make images of {size} pixels; allowed is 28")


def _stack(convolutions: Sequence[keras.layers.Layer], normalization, wrapper: Wrapper, activation: Callable) -> list:
    """Each convolution with what stands behind it."""
    return [layer for c in convolutions for layer in activated(c, normalization, activation(), wrapper)]


@gin.configurable
def color_mnist_generator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    output_activation: str | None = "tanh",
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Codes [B, Z] to images [B, 28, 28, C] in [-1, 1] (table 4), with ReLU.

    Args:
        input_shape: (Z,).
        output_shape: (28, 28, C).
        output_activation: of the last layer.
        normalization: makes the layer put before each hidden activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for images of another size.
    """
    _check(output_shape)
    bias = normalization is None
    hidden = [
        keras.layers.Conv2DTranspose(filters, 5, strides=strides, padding="same", use_bias=bias)
        for filters, strides in ((64, 2), (32, 1))
    ]
    last = keras.layers.Conv2DTranspose(output_shape[-1], 5, strides=2, padding="same", activation=output_activation)
    dense = _stack([keras.layers.Dense(7 * 7 * 64, use_bias=bias)], normalization, wrapper, keras.layers.ReLU)
    return keras.Sequential(
        [
            keras.Input(tuple(input_shape)),
            *dense,
            keras.layers.Reshape((7, 7, 64)),
            *_stack(hidden, normalization, wrapper, keras.layers.ReLU),
            wrapper(last),
        ]
    )


@gin.configurable
def color_mnist_discriminator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    dropout: float = 0.0,
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """Images [B, 28, 28, C] to `output_shape` (table 3); leaky ReLU of slope 0.2.

    Deviations: there is one logit in place of two, which is the same classifier. There is no output for the ten
    classes, because no system here uses them.

    Args:
        input_shape: (28, 28, C).
        output_shape: () for logits [B].
        dropout: the share that is dropped after the last convolution; 0.8 for DCGAN only.
        normalization: makes the layer put before each activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for images of another size.
    """
    _check(input_shape)
    convolutions = [
        keras.layers.Conv2D(filters, 5, strides=strides, padding="same", use_bias=normalization is None)
        for filters, strides in ((8, 2), (16, 1), (32, 2), (64, 1), (64, 2))
    ]
    return keras.Sequential(
        [
            keras.Input(tuple(input_shape)),
            *_stack(convolutions, normalization, wrapper, lambda: keras.layers.LeakyReLU(0.2)),
            *([Dropout(dropout)] if dropout else []),
            *dense_output(output_shape, wrapper),
        ]
    )


@gin.configurable
def color_mnist_encoder(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Sequential:
    """The transposed generator, without an activation of the output (appendix H.4).

    Args:
        input_shape: (28, 28, C).
        output_shape: as many numbers as the posterior has.
        normalization: makes the layer put before each activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for images of another size.
    """
    _check(input_shape)
    convolutions = [
        keras.layers.Conv2D(filters, 5, strides=strides, padding="same", use_bias=normalization is None)
        for filters, strides in ((32, 2), (64, 1), (64, 2))
    ]
    return keras.Sequential(
        [
            keras.Input(tuple(input_shape)),
            *_stack(convolutions, normalization, wrapper, keras.layers.ReLU),
            *dense_output(output_shape, wrapper),
        ]
    )
