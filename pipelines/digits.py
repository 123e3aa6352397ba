"""The 1,797 scanned digits inside scikit-learn (UCI Optical Recognition of Handwritten Digits): real, no download."""

import functools

import gin
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from pipelines.addressing import check_request, shares

SPLITS = ("train", "train_once", "test")
TEST_IMAGES = 360


@functools.cache
def _arrays() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(images float32 [N, 32, 32, 1] in [-1, 1], labels int64 [N]) of "train" and "test"."""
    pixels, labels = load_digits(return_X_y=True)  # pixels in [0, 16]
    with tf.device("CPU:0"):  # the same numbers on every machine
        # Bilinear, as it stays within the range and leaves the strokes smooth.
        images = tf.image.resize(pixels.reshape(-1, 8, 8, 1) / 8 - 1, [32, 32], method="bilinear").numpy()
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels.astype(np.int64), test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    return {"train": (train_x, train_y), "test": (test_x, test_y)}


def _shuffled(index: tf.Tensor, *, seed: int, epoch: tf.Tensor, size: int) -> tf.Tensor:
    """Where a permutation of range(size), keyed by (seed, epoch), takes each index: int64 [N], epoch int64 [N]."""
    # The op under `tf.random.experimental.index_shuffle`, which itself allows only one key for all rows; the number is
    # the word it puts before a key.
    words = [tf.fill(tf.shape(index), tf.constant(word, tf.int64)) for word in (498247692, seed)]
    return tf.raw_ops.RandomIndexShuffle(
        index=index, seed=tf.stack([*words, epoch], axis=1), max_index=tf.constant(size - 1, tf.int64), rounds=4
    )


@gin.configurable
def digits(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    labels: bool = False,
) -> tf.data.Dataset:
    """Digits, resized from 8 x 8 to 32 x 32 (bilinear), in [-1, 1] with -1 the paper.

    The split is fixed and stratified: 1,437 images to train, 360 to test; 144 or so and 36 of each class.

    Args:
        split: "train" is endless, every epoch in another order; "train_once" is one pass over the same images and
            "test" one over the others, both in a fixed order, given to every worker whole.
        start_step, examples_per_step, input_context: see `addressing.shares`. A batch may cross epochs.
        seed: with the epoch, the key of the order.
        labels: give (image, label) instead of the image alone.

    Returns:
        float32 [share, 32, 32, 1], with labels also int64 [share] in 0..9. The last batch of a finite split may be
        smaller.

    Raises:
        ValueError: for an unknown split, a bad step or batch size.
    """
    check_request(split, start_step, examples_per_step, allowed=SPLITS)
    images, classes = _arrays()["test" if split == "test" else "train"]
    arrays = (images, classes) if labels else images
    if split != "train":
        return tf.data.Dataset.from_tensor_slices(arrays).batch(examples_per_step).skip(start_step)

    with tf.device("CPU:0"):  # where tf.data works
        tensors = tf.nest.map_structure(tf.constant, arrays)
    steps, share = shares(start_step, examples_per_step, input_context)

    def rows(step: tf.Tensor, first: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        position = step * examples_per_step + first + tf.range(share, dtype=tf.int64)
        index = _shuffled(position % len(images), seed=seed, epoch=position // len(images), size=len(images))
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, index), tensors)

    return steps.map(rows, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
