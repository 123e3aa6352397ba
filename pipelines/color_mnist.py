"""ColorMNIST: MNIST's digits in random colors, after Rosca et al. (2017), who do not define it further."""

import gin
import tensorflow as tf

from pipelines.mnist import decode_digit
from pipelines.prepared import carved
from pipelines.records import batches


@gin.configurable
def color_mnist(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    held_out: int = 5_000,
) -> tf.data.Dataset:
    """float32 [share, 28, 28, 3] in [-1, 1]: each digit in a color of its own on black.

    The colors are ours: red, green and blue are uniform and then divided by the largest of them, so that every digit
    stays as bright as it was. A training digit gets a new color each time it is seen. A held-out digit always has the
    same color.

    Args:
        split: see `mnist.mnist`.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the order; with the place in the order, the key of the colors.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        held_out: digits in the validation split.

    Raises:
        ValueError: if MNIST is not prepared, see `prepared.prepared`; and for values out of range.
    """

    def decode(record: dict, key: tf.Tensor) -> tf.Tensor:
        color = tf.random.stateless_uniform([3], key, alg="philox")
        image, _ = decode_digit(record)
        return (image + 1.0) * color / tf.reduce_max(color) - 1.0

    records = carved("mnist", split, start_step, examples_per_step, held_out)
    return batches(records, decode, split, start_step, examples_per_step, seed, input_context)
