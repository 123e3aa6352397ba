"""The residual networks of SN-GAN for 32 x 32 images (Miyato et al. 2018, table 4 and figure 8)."""

import math
from collections.abc import Sequence

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import Normalization, Wrapper, check_square, wrap


def _check(shape: Sequence[int]) -> None:
    size = check_square(shape, "SN-GAN's ResNet")
    if size != 32:
        raise ValueError(f"SN-GAN's ResNet cannot make images of {size} pixels; allowed is 32")


def _activated(x, normalization: Normalization | None):
    return keras.layers.ReLU()(x if normalization is None else normalization()(x))


@gin.configurable
def resnet_generator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 256,
    output_activation: str | None = "tanh",
    normalization: Normalization | None = None,
    wrapper: Wrapper = wrap,
) -> keras.Model:
    """Codes [B, Z] to images [B, 32, 32, C] in [-1, 1]: three blocks, each doubling the size.

    Args:
        input_shape: (Z,).
        output_shape: (32, 32, C).
        width: channels of the blocks.
        output_activation: of the last layer.
        normalization: makes the layer put before each hidden activation.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for images of another size.
    """
    _check(output_shape)
    z = keras.Input(tuple(input_shape))
    x = keras.layers.Reshape((4, 4, width))(wrapper(keras.layers.Dense(4 * 4 * width))(z))
    for _ in range(3):
        residual = keras.layers.UpSampling2D()(_activated(x, normalization))
        residual = _activated(wrapper(keras.layers.Conv2D(width, 3, padding="same"))(residual), normalization)
        residual = wrapper(keras.layers.Conv2D(width, 3, padding="same"))(residual)
        # The convolution of 1 x 1 and the change of size can be swapped: the smaller map is the cheaper one.
        shortcut = keras.layers.UpSampling2D()(wrapper(keras.layers.Conv2D(width, 1))(x))
        x = keras.layers.Add()([shortcut, residual])
    image = keras.layers.Conv2D(output_shape[-1], 3, padding="same", activation=output_activation)
    return keras.Model(z, wrapper(image)(_activated(x, normalization)))


@gin.configurable
def resnet_discriminator(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    width: int = 128,
    wrapper: Wrapper = wrap,
) -> keras.Model:
    """Images [B, 32, 32, C] to `output_shape`: four blocks, of which the first two halve the size.

    It is also the encoder. The papers define none; the discriminator's trunk without spectral normalization is ours.

    Args:
        input_shape: (32, 32, C).
        output_shape: () for logits [B].
        width: channels of the blocks.
        wrapper: wraps each layer with weights.

    Raises:
        ValueError: for images of another size.
    """
    _check(input_shape)
    x = image = keras.Input(tuple(input_shape))
    for block, halves in enumerate((True, True, False, False)):
        residual = x if block == 0 else keras.layers.ReLU()(x)  # the image itself is not cut off at 0
        residual = keras.layers.ReLU()(wrapper(keras.layers.Conv2D(width, 3, padding="same"))(residual))
        residual = wrapper(keras.layers.Conv2D(width, 3, padding="same"))(residual)
        if halves:
            residual = keras.layers.AveragePooling2D()(residual)
            x = wrapper(keras.layers.Conv2D(width, 1))(keras.layers.AveragePooling2D()(x))
        x = keras.layers.Add()([x, residual])
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.Rescaling(8 * 8)(x)  # the sum over the pixels
    x = wrapper(keras.layers.Dense(math.prod(output_shape)))(x)
    return keras.Model(image, x if len(output_shape) == 1 else keras.layers.Reshape(tuple(output_shape))(x))
