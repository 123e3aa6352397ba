"""The stacked protocol of Metz et al. (Unrolled GANs, 2017): three random digits as the channels of one image."""

from collections.abc import Callable

import tensorflow as tf

from pipelines.records import InMemory, Record, Streamed, batches

CHANNELS = 3


class Stacks:
    """Records of three digits each: the digits in three orders of their own."""

    def __init__(self, records: InMemory | Streamed, size: int):
        """`size`: how many stacks one ordered pass has."""
        self.records, self.size = records, size

    def once(self) -> tf.data.Dataset:
        """One pass over `size` stacks, the same for every run."""
        return self.shuffled(0, 0).take(self.size)

    def shuffled(self, seed: int, start: int) -> tf.data.Dataset:
        """The endless order from the place `start` on."""
        orders = [self.records.shuffled(CHANNELS * seed + channel, start) for channel in range(CHANNELS)]
        return tf.data.Dataset.zip(tuple(orders))


def stacked(
    records: InMemory | Streamed,
    decode: Callable[[Record], tuple[tf.Tensor, tf.Tensor]],
    *request,
    held_out: int,
    labels: bool,
) -> tf.data.Dataset:
    """Stacks [share, H, W, 3] of images [H, W, 1]; with labels also int64 [share], the three digits read as a number.

    `decode(record)` gives (image, label) of one digit; `request`: as `batches`; `held_out`: stacks of a finite split.
    """

    if held_out < 1:
        raise ValueError(f"held_out is {held_out}; it must be at least 1")

    def stack(digits: tuple, key: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        images, classes = zip(*map(decode, digits))
        image = tf.concat(images, axis=-1)
        return (image, 100 * classes[0] + 10 * classes[1] + classes[2]) if labels else image

    return batches(Stacks(records, held_out), stack, *request)
