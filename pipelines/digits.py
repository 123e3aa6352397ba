"""The 1,797 scanned digits inside scikit-learn (UCI Optical Recognition of Handwritten Digits): real, no download."""

import functools

import gin
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from pipelines.addressing import check_request
from pipelines.records import InMemory, batches

SPLITS = ("train", "train_once", "test")
TEST_IMAGES = 360


@functools.cache
def digit_records(part: str, size: int) -> InMemory:
    """The digits of "train" or "test": `image`, float32 [size, size, 1] in [-1, 1], and `label`, int64.

    Raises ValueError for a size under the 8 pixels of the scans, or over 512.
    """
    if not 8 <= size <= 512:
        raise ValueError(f"digits.size is {size}; it must lie in 8..512 (the scans have 8)")
    pixels, labels = load_digits(return_X_y=True)  # pixels in [0, 16]
    with tf.device("CPU:0"):  # the same numbers on every machine
        # Bilinear, as it stays within the range and leaves the strokes smooth.
        images = tf.image.resize(pixels.reshape(-1, 8, 8, 1) / 8 - 1, [size, size], method="bilinear").numpy()
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels.astype(np.int64), test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    return InMemory({"image": test_x, "label": test_y} if part == "test" else {"image": train_x, "label": train_y})


@gin.configurable
def digits(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    size: int = 32,
    labels: bool = False,
) -> tf.data.Dataset:
    """Digits, resized from 8 x 8 to size x size (bilinear), in [-1, 1] with -1 the paper.

    The split is fixed and stratified: 1,437 images to train and 360 to test, about 144 and 36 of each class.

    Args:
        split: "train" is endless, with a new order in each epoch. "train_once" is one pass over the same images, and
            "test" one over the others, both in a fixed order and given to every worker whole.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch, which may cross epochs.
        seed: with the epoch, the key of the order.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        size: pixels along each edge, 8 to 512; the scans have 8.
        labels: give (image, label) instead of the image alone.

    Returns:
        float32 [share, size, size, 1], with labels also int64 [share] in 0..9. The last batch of a finite split may be
        smaller.

    Raises:
        ValueError: for an unknown split, a bad step, batch or size.
    """
    check_request(split, start_step, examples_per_step, allowed=SPLITS)
    records = digit_records("test" if split == "test" else "train", size)

    def decode(record: dict, key: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        return (record["image"], record["label"]) if labels else record["image"]

    return batches(records, decode, split, start_step, examples_per_step, seed, input_context)
