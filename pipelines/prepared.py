"""Data sets that TensorFlow Datasets has prepared on disk, read as raw records."""

import functools
import os
import re
from collections.abc import Sequence

import gin
import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf import json_format

from pipelines.addressing import check_request
from pipelines.prepare import how
from pipelines.records import InMemory, Streamed


@gin.configurable
def prepared(
    name: str,
    part: str,
    *,
    features: Sequence[str],
    data_dir: str | None = None,
    in_memory: bool = False,
    window: int = 16_384,
) -> InMemory | Streamed:
    """The records of a data set: a dictionary of `features`, pictures as the bytes of their files.

    Args:
        name: the name in TensorFlow Datasets, such as "cifar10".
        part: the part in the words of TensorFlow Datasets, such as "train[:-5000]".
        features: what is read.
        data_dir: where it was prepared. None takes ~/tensorflow_datasets or $TFDS_DATA_DIR.
        in_memory: keeps the records, still encoded, in memory.
        window: otherwise, how many records are shuffled at a time. Two windows are in memory.

    Raises:
        ValueError: if the data set is not prepared, or only half prepared; if a file is damaged; or if the part has no
            example. To find damage, files are read once in a process, which takes about a second for each GB.
    """
    if window < 1:
        raise ValueError(f"prepared.window is {window}; it must be at least 1")
    return _records(name, part, tuple(features), data_dir, in_memory, window)


@functools.cache  # a run asks for each part several times
def _records(name, part, features, data_dir, in_memory, window):
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (json_format.ParseError, RuntimeError, AssertionError) as error:  # before it would say where
        root = data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
        reason = str(error).rpartition('}": ')[2]  # behind what it was called with
        raise ValueError(
            f"the dataset_info.json of {name} is damaged ({reason}): delete {root}/{name} and run: {how(name, root)}"
        ) from error
    folder, command = builder.data_path, how(name, str(builder.data_dir_root))
    if not folder.exists():
        unfinished = sorted(folder.parent.glob(f"incomplete.*_{folder.name}"))
        if unfinished:
            raise ValueError(f"{name} is only half prepared: delete {unfinished[0]} and run: {command}")
        raise ValueError(f"{name} is not prepared in {builder.data_dir_root}; run: {command}")
    files = [folder / "dataset_info.json", *(p for split in builder.info.splits.values() for p in split.filepaths)]
    missing = [file for file in files if not file.exists()]
    if missing:
        raise ValueError(f"{name} is only half prepared ({missing[0]} is missing): delete {folder} and run: {command}")
    split = part.partition("[")[0]
    stored = builder.info.splits[split]
    for file, examples in zip(stored.filepaths, stored.shard_lengths):
        _check(str(file), examples, f"delete {folder} and run: {command}")
    there = stored.num_examples
    try:
        size = builder.info.splits[part].num_examples
    except (AssertionError, ValueError):  # a slice that ends beyond the split
        size = 0
    if not size:
        raise ValueError(
            f"{name} has {there} examples in {split!r}, too few for {part!r}; a smaller held_out leaves some"
        )
    dataset = builder.as_dataset(
        split=part,  # pyright: ignore[reportCallIssue]
        decoders={"image": tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(try_autocache=False),
    ).map(  # pyright: ignore[reportAttributeAccessIssue], of one split it is a dataset
        lambda example: {feature: example[feature] for feature in features}
    )
    return InMemory(next(iter(dataset.batch(size)))) if in_memory else Streamed(dataset, size, min(window, size))


@functools.cache  # parts of one split share its files
def _check(file: str, examples: int, remedy: str):
    """Raises ValueError where a record file is damaged: each record has a checksum, and TensorFlow names no file."""
    # Counted in batches: called for each record, the function takes ten times as long as the reading.
    batches = tf.data.TFRecordDataset(file).batch(256)
    try:
        found = int(batches.reduce(0, lambda count, batch: count + tf.size(batch)))
    except tf.errors.DataLossError as error:
        fault = re.sub(r"^{{.*?}} | \[Op:.*", "", error.message)
        raise ValueError(f"{file} is damaged ({fault}): {remedy}") from error
    if found != examples:
        raise ValueError(f"{file} is damaged ({found} of its {examples} examples are there): {remedy}")


def carved(name: str, split: str, start_step: int, examples_per_step: int, held_out: int) -> InMemory | Streamed:
    """The images and labels of a data set that has no validation split: its last `held_out` training examples are that.

    Raises ValueError as `prepared` does, for fewer than one held out, and as `check_request` does.
    """
    if held_out < 1:
        raise ValueError(f"held_out is {held_out}; it must be at least 1")
    train = f"train[:-{held_out}]"
    parts = {"train": train, "train_once": train, "validation": f"train[-{held_out}:]", "test": "test"}
    check_request(split, start_step, examples_per_step, allowed=tuple(parts))
    return prepared(name, parts[split], features=("image", "label"))
