"""Packing (PacGAN, Lin et al. 2018): a discriminator that is shown several examples at once."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from bms_tf.core.keras import keras


class Pack(keras.layers.Layer):
    """Joins each example [..., C] with the next `size` - 1 to a pack [..., size * C]. The first follows the last.

    The paper cuts a batch into B / size packs. Here B packs overlap (ours), so that logits stay [B] and any batch can
    be packed. The examples of a pack are still independent, and every loss has the same expectation.
    """

    couples_examples = True

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs):
        return tf.concat([tf.roll(inputs, -i, axis=0) for i in range(self.size)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def packed(
    network: Callable[..., keras.Model], size: int, *, input_shape: Sequence[int], output_shape: Sequence[int]
) -> keras.Model:
    """`network` for packs of examples, after `Pack`. For packs of one example it is that network alone.

    Args:
        network: a network factory.
        size: how many examples are in a pack, in 1..100.
        input_shape: of one example, [..., C].
        output_shape: () for logits [B].

    Raises:
        ValueError: for a size out of range.
    """
    if not 1 <= size <= 100:
        raise ValueError(f"packing is {size}; it must lie in 1..100")
    if size == 1:
        return network(input_shape=input_shape, output_shape=output_shape)
    *sides, channels = input_shape
    pack_network = network(input_shape=(*sides, size * channels), output_shape=output_shape)
    return keras.Sequential([keras.Input(tuple(input_shape)), Pack(size), pack_network])
