"""A classifier of images after VGG (Simonyan and Zisserman 2015), with batch normalization and dropout."""

from collections.abc import Sequence

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import check_square


@gin.configurable
def vgg(
    *,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    blocks: Sequence[Sequence[int]] = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512)),
    dense: int = 512,
    dropout: float = 0.5,
    shift: float = 0.125,
    flip: bool = False,
) -> keras.Sequential:
    """Images [B, H, H, C] to class scores [B, K]: blocks of 3 x 3 convolutions, maximum pooling, two dense layers.

    Args:
        input_shape: (H, H, C).
        output_shape: (K,).
        blocks: the convolutions' channels.
        dense: the size of the last hidden layer.
        dropout: the share of the dense layers' inputs that is dropped.
        shift: in training, images are shifted by up to this share of their size. The edge is repeated.
        flip: in training, half of the images are mirrored left to right.

    Raises:
        ValueError: for images that are too small for so many blocks.
    """
    side = check_square(input_shape, "VGG")
    if side < 2 ** len(blocks):
        raise ValueError(f"vgg.blocks are {len(blocks)}, each of which halves the image; it has {side} pixels")
    layers = [keras.Input(tuple(input_shape)), keras.layers.RandomTranslation(shift, shift, fill_mode="nearest")]
    layers += [keras.layers.RandomFlip("horizontal")] if flip else []
    for block in blocks:
        for filters in block:
            layers.append(keras.layers.Conv2D(filters, 3, padding="same", use_bias=False))
            layers += [keras.layers.BatchNormalization(momentum=0.9), keras.layers.ReLU()]  # for short runs
        layers.append(keras.layers.MaxPooling2D())
    layers += [keras.layers.Flatten(), keras.layers.Dropout(dropout), keras.layers.Dense(dense, activation="relu")]
    layers += [keras.layers.Dropout(dropout), keras.layers.Dense(output_shape[0])]
    return keras.Sequential(layers)
