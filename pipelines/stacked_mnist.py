"""Stacked MNIST (Metz et al., Unrolled GANs, 2017): three random digits as the channels of one image, 1000 modes."""

import gin
import tensorflow as tf

from pipelines.mnist import decode_digit
from pipelines.prepared import carved
from pipelines.stacking import stacked


@gin.configurable
def stacked_mnist(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    digits_held_out: int = 5_000,
    held_out: int = 26_000,
    labels: bool = False,
) -> tf.data.Dataset:
    """float32 [share, 28, 28, 3] in [-1, 1], with labels also int64 [share] in 0..999, the digits read as a number.

    Args:
        split: "train" is endless; "train_once", "validation" and "test" are `held_out` stacks of the digits of that
            split of `mnist.mnist`, the same for every seed.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the order.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        digits_held_out: MNIST's digits in the validation split.
        held_out: 26,000 as in the protocol.
        labels: give (image, label).

    Raises:
        ValueError: if MNIST is not prepared, see `prepared.prepared`; and for values out of range.
    """
    records = carved("mnist", split, start_step, examples_per_step, digits_held_out)
    request = (split, start_step, examples_per_step, seed, input_context)
    return stacked(records, decode_digit, *request, held_out=held_out, labels=labels)
