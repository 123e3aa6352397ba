"""Stored examples in an endless order, which changes with each epoch. The order can be entered anywhere, and is the
same for any number of devices.

An example is decoded from a record (a row of arrays, the bytes of a picture, a path). What a resumed run has already
seen, or another worker reads, is skipped before it is decoded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from pipelines.addressing import shares

Record = tf.Tensor | dict[str, tf.Tensor]


def permuted(index: tf.Tensor, *, seed: int, epoch: tf.Tensor, size: int) -> tf.Tensor:
    """Where a permutation of range(size), keyed by (seed, epoch), takes each index: int64 [N], epoch int64 [N]."""
    # The op under `tf.random.experimental.index_shuffle`, which itself allows only one key for all rows; the number is
    # the word it puts before a key.
    words = [tf.fill(tf.shape(index), tf.constant(word, tf.int64)) for word in (498247692, seed)]
    return tf.raw_ops.RandomIndexShuffle(
        index=index, seed=tf.stack([*words, epoch], axis=1), max_index=tf.cast(size, tf.int64) - 1, rounds=4
    )


class Records(Protocol):
    """Those of one split."""

    def once(self) -> tf.data.Dataset:
        """One pass, the same for every run."""
        ...

    def shuffled(self, seed: int, start: int) -> tf.data.Dataset:
        """The endless order from the place `start` on."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Records that are rows of tensors: any place of any epoch is at hand, and an epoch is a full permutation."""

    rows: Record

    BLOCK = 256  # places looked up at once

    @property
    def size(self) -> int:
        return len(tf.nest.flatten(self.rows)[0])

    def once(self) -> tf.data.Dataset:
        """One pass in the order of the rows."""
        return tf.data.Dataset.from_tensor_slices(self.rows)

    def shuffled(self, seed: int, start: int) -> tf.data.Dataset:
        """The endless order from the place `start` on."""
        with tf.device("CPU:0"):  # where tf.data works
            rows = tf.nest.map_structure(tf.constant, self.rows)

        def block(place: tf.Tensor) -> Record:
            places = place + tf.range(self.BLOCK, dtype=tf.int64)
            index = permuted(places % self.size, seed=seed, epoch=places // self.size, size=self.size)
            return tf.nest.map_structure(lambda tensor: tf.gather(tensor, index), rows)

        return tf.data.Dataset.counter(start, self.BLOCK).map(block).unbatch()


@dataclass(frozen=True)
class Streamed:
    """Records that are read from disk in the order of `dataset`, `size` of them.

    Every epoch begins at another place of the files and shuffles within windows of `window` records, of which two are
    in memory. (`Dataset.shuffle` would depend on TensorFlow's global seed.) To enter an epoch in its middle the records
    before it are read, and not decoded.
    """

    dataset: tf.data.Dataset
    size: int
    window: int

    def once(self) -> tf.data.Dataset:
        """One pass in the order of the files."""
        return self.dataset

    def shuffled(self, seed: int, start: int) -> tf.data.Dataset:
        """The endless order from the place `start` on."""

        def shuffle(records: Record, epoch: tf.Tensor) -> Record:
            count = tf.shape(tf.nest.flatten(records)[0], tf.int64)[0]
            places = tf.range(count)
            index = permuted(places, seed=seed, epoch=tf.fill([count], epoch), size=count)
            return tf.nest.map_structure(lambda tensor: tf.gather(tensor, index), records)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            (first,) = tf.unstack(permuted(tf.zeros([1], tf.int64), seed=seed, epoch=epoch[None], size=self.size))
            windows = self.dataset.skip(first).concatenate(self.dataset.take(first)).batch(self.window)
            return windows.map(lambda records: shuffle(records, epoch)).prefetch(1).unbatch()

        return tf.data.Dataset.counter(start // self.size).flat_map(one_epoch).skip(start % self.size)


def batches(
    records: Records,
    decode: Callable[[Any, tf.Tensor], tf.Tensor | tuple],
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None,
) -> tf.data.Dataset:
    """Examples in batches: endless in shuffled order for the split "train", otherwise one ordered pass.

    Args:
        records: the records of this split.
        decode: `decode(record, key)` gives one example. The key, int64 [2], is (seed, place) in the train split and
            (-1, place), the same for every run, in the others.
        split: "train" or another.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the shuffled order.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.

    Returns:
        Batches of this input pipeline's shares; the last batch of a finite split may be smaller.

    Raises:
        ValueError: if the global batch cannot be shared evenly.
    """
    start = start_step * examples_per_step
    if split != "train":
        placed = records.once().enumerate().skip(start)
        share, key_seed = examples_per_step, -1
    else:
        _, share = shares(start_step, examples_per_step, input_context)
        placed = records.shuffled(seed, start).enumerate(start)
        key_seed = seed
        if input_context is not None and input_context.num_input_pipelines > 1:
            rows = examples_per_step // input_context.num_input_pipelines
            own = input_context.input_pipeline_id
            placed = placed.filter(lambda place, record: place % examples_per_step // rows == own)

    def example(place: tf.Tensor, record: Any) -> tf.Tensor | tuple:
        return decode(record, tf.stack([tf.constant(key_seed, tf.int64), place]))

    examples = placed.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(share, drop_remainder=split == "train")
    if split == "train":  # blocks hide it from TensorFlow
        examples = examples.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return examples.prefetch(tf.data.AUTOTUNE)
