"""Stacked digits: the stacked protocol on scikit-learn's scanned digits, small enough for a CPU and no download."""

import gin
import tensorflow as tf

from pipelines.addressing import check_request
from pipelines.digits import SPLITS, digit_records
from pipelines.stacking import stacked


@gin.configurable
def stacked_digits(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    size: int = 16,
    held_out: int = 26_000,
    labels: bool = False,
) -> tf.data.Dataset:
    """Three random digits as channels: 1000 classes, nearly uniform (the digits' own shares are 9.7 to 10.2 %).

    The digits of a stack come from one part of `digits.digits`, so no digit of a test stack is seen in training.

    Args:
        split: "train" is endless; "train_once" and "test" are `held_out` stacks of training and of test digits.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch, which may cross epochs.
        seed: with the epoch, the key of the order.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        size: pixels along each edge, 8 to 512; the scans have 8.
        held_out: 26,000 as in the protocol.
        labels: give (image, label), the label in 0..999.

    Returns:
        float32 [share, size, size, 3] in [-1, 1], with labels also int64 [share].

    Raises:
        ValueError: for an unknown split, a bad step, batch or size.
    """
    check_request(split, start_step, examples_per_step, allowed=SPLITS)
    records = digit_records("test" if split == "test" else "train", size)
    request = (split, start_step, examples_per_step, seed, input_context)
    return stacked(records, lambda r: (r["image"], r["label"]), *request, held_out=held_out, labels=labels)
