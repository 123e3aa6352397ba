"""CIFAR-10 (Krizhevsky 2009): 60,000 color pictures of 32 x 32, ten classes."""

import gin
import tensorflow as tf

from pipelines.pictures import maybe_flipped, scaled
from pipelines.prepared import carved
from pipelines.records import batches


@gin.configurable
def cifar10(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    held_out: int = 5_000,
    flip: bool = False,
    labels: bool = False,
) -> tf.data.Dataset:
    """float32 [share, 32, 32, 3] in [-1, 1], with labels also int64 [share] in 0..9.

    Args:
        split: "train" is endless; "train_once", "validation" and "test" are one ordered pass, given to every worker
            whole. Test is the data set's own 10,000; validation the last `held_out` of its 50,000 training pictures.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the order and of flips.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        held_out: pictures in the validation split.
        flip: mirrors half of the training pictures left to right (the papers name no augmentation).
        labels: give (image, label).

    Raises:
        ValueError: if the data set is not prepared, see `prepared.prepared`; and for values out of range.
    """
    records = carved("cifar10", split, start_step, examples_per_step, held_out)

    def decode(record: dict, key: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        image = scaled(tf.io.decode_png(record["image"], channels=3), (32, 32, 3))
        image = maybe_flipped(image, key, flip and split == "train")
        return (image, record["label"]) if labels else image

    return batches(records, decode, split, start_step, examples_per_step, seed, input_context)
