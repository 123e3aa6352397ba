"""MNIST (LeCun et al. 1998): 70,000 written digits of 28 x 28."""

import gin
import tensorflow as tf

from pipelines.pictures import scaled
from pipelines.prepared import carved
from pipelines.records import batches


def decode_digit(record: dict) -> tuple[tf.Tensor, tf.Tensor]:
    """(image, label) of a record: float32 [28, 28, 1] in [-1, 1] with -1 the paper, int64 [] in 0..9."""
    return scaled(tf.io.decode_png(record["image"], channels=1), (28, 28, 1)), record["label"]


@gin.configurable
def mnist(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    held_out: int = 5_000,
    labels: bool = False,
) -> tf.data.Dataset:
    """float32 [share, 28, 28, 1] in [-1, 1] with -1 the paper, with labels also int64 [share] in 0..9.

    Args:
        split: "train" is endless; "train_once", "validation" and "test" are one ordered pass, given to every worker
            whole. Test is the data set's own 10,000; validation the last `held_out` of its 60,000 training digits.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the order.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        held_out: digits in the validation split.
        labels: give (image, label).

    Raises:
        ValueError: if the data set is not prepared, see `prepared.prepared`; and for values out of range.
    """
    records = carved("mnist", split, start_step, examples_per_step, held_out)

    def decode(record: dict, key: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        image, label = decode_digit(record)
        return (image, label) if labels else image

    return batches(records, decode, split, start_step, examples_per_step, seed, input_context)
