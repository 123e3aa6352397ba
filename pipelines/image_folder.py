"""A folder of the user's own pictures: PNG and JPEG of any sizes, in sub-folders or not."""

import functools
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import gin
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pipelines.addressing import check_request
from pipelines.picture_files import Picture, index
from pipelines.pictures import centered, check_shape, maybe_flipped, scaled, upright
from pipelines.records import InMemory, batches

SPLITS = ("train", "train_once", "validation", "test")
# The words for what Pillow calls the kinds of pictures.
CONVERTED = {"1": "black and white", "L": "gray", "LA": "gray with alpha", "P": "palette"}
CONVERTED |= {"I;16": "16-bit", "I": "16-bit"}


@functools.cache  # so that it is said once
def _usable(folder: str, crop: int | None, unreadable: str, mode: str) -> dict[str, Picture]:
    """The pictures to train on. Raises ValueError for what is wrong with them, and says which become `mode`."""
    found = index(folder)
    faulty = {name: picture.fault for name, picture in found.items() if picture.fault}
    good = {name: picture for name, picture in found.items() if not picture.fault}
    if faulty:
        first = next(iter(faulty))
        text = (
            f"{len(faulty)} of {len(found)} pictures in {folder} cannot be read, the first: {first} ({faulty[first]})"
        )
        if unreadable == "error" or not good:
            raise ValueError(text)
        logging.warning("%s; left out", text)
    firsts: dict[str, str] = {}
    copies = {
        name: firsts[picture.digest]
        for name, picture in good.items()
        if firsts.setdefault(picture.digest, name) != name
    }
    if copies:
        copy, first = min(copies.items())
        logging.warning(
            "%d of %d pictures in %s are copies of others, such as %s of %s; each picture counts once",
            *(len(copies), len(found), folder, copy, first),
        )
        good = {name: picture for name, picture in good.items() if name not in copies}
    small = [name for name, picture in good.items() if crop and min(picture.width, picture.height) < crop]
    if small:
        first, picture = small[0], good[small[0]]
        raise ValueError(
            f"{len(small)} of {len(found)} pictures in {folder} are smaller than image_folder.crop = {crop}, "
            f"the first: {first} ({picture.width} x {picture.height})"
        )
    kinds = Counter(CONVERTED.get(picture.mode, picture.mode) for picture in good.values() if picture.mode != mode)
    if kinds:
        logging.warning(
            "of %d pictures in %s these are converted: %s (alpha over white)",
            len(good),
            folder,
            ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
        )
    return good


@functools.cache  # once, whatever the number of splits that are read
def _say_few(held_out: float, pictures: int):
    text = "image_folder.held_out = %s of %d pictures is one for validation and one for test; most metrics need more"
    logging.warning(text, held_out, pictures)


@gin.configurable
def image_folder(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    folder: str = gin.REQUIRED,
    shape: Sequence[int] = gin.REQUIRED,
    crop: int | None = None,
    flip: bool = False,
    held_out: float = 0.05,
    unreadable: Literal["leave_out", "error"] = "leave_out",
    in_memory: bool = False,
) -> tf.data.Dataset:
    """The central square of every picture, resized. A photo is turned as its camera's orientation tag says.

    Args:
        split: "train" is endless, with a new order in each epoch; "train_once", "validation" and "test" are one ordered
            pass, given to every worker whole. Which picture is in which split depends only on the names of all
            pictures. Files with equal content count once, under the first of their names.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the order and of flips.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        folder: has the pictures, also in its sub-folders, which make no difference.
        shape: (H, H, C), C = 3, or 1 for gray.
        crop: side of the square, in pixels of the picture. None takes the largest square.
        flip: mirrors half of the training pictures left to right.
        held_out: the share of the pictures in validation, and the same share in test, at least one picture each.
        unreadable: what to do about corrupt, truncated and empty files, pictures of more than `MAX_PIXELS`, broken
            links, and anything that is no file. Each picture is decoded once to find them, and the user's cache keeps
            the result.
        in_memory: decodes each picture once, at the start, and keeps its square of H x H x C bytes, rounded to 8 bits.

    Returns:
        float32 [share, H, H, C] in [-1, 1].

    Raises:
        ValueError: if the folder has no pictures, pictures are smaller than the crop, pictures are unreadable and not
            to be left out, or a value is out of range.
    """
    check_request(split, start_step, examples_per_step, allowed=SPLITS)
    check_shape(shape, "image_folder.shape", channels=(1, 3))
    if crop is not None and crop < 1:
        raise ValueError(f"image_folder.crop is {crop}; it must be at least 1, or None")
    if not 0 < held_out < 0.5:
        raise ValueError(f"image_folder.held_out is {held_out}; it must lie in (0, 0.5)")
    pictures = _usable(folder, crop, unreadable, "L" if shape[-1] == 1 else "RGB")
    count = max(1, round(held_out * len(pictures)))
    if len(pictures) <= 2 * count:
        raise ValueError(
            f"{folder} has {len(pictures)} picture(s); validation and test get {count} each, and training needs one"
        )
    if count == 1:
        _say_few(held_out, len(pictures))
    # By the hash of the name: one more picture moves hardly any other to another split.
    names = sorted(pictures, key=lambda name: hashlib.sha1(name.encode()).digest())
    parts = {"test": names[:count], "validation": names[count : 2 * count]}
    names = parts.get(split, names[2 * count :])
    files = Files(
        path=tuple(os.path.join(folder, name) for name in names),
        transparent=tuple(pictures[name].transparent for name in names),
        orientation=tuple(pictures[name].orientation for name in names),
    )
    if in_memory:
        records = InMemory({"pixels": _pixels(files, crop, tuple(shape))})
    else:
        records = InMemory({field: tf.constant(values) for field, values in files._asdict().items()})

    def decode(record: dict, key: tf.Tensor) -> tf.Tensor:
        image = scaled(record["pixels"], shape) if in_memory else _square(record, crop, shape)
        return maybe_flipped(image, key, flip and split == "train")

    return batches(records, decode, split, start_step, examples_per_step, seed, input_context)


class Files(NamedTuple):
    """The pictures of a split, column by column: what is needed to decode each."""

    path: tuple[str, ...]
    transparent: tuple[bool, ...]
    orientation: tuple[int, ...]


def _square(record: dict, crop: int | None, shape: Sequence[int]) -> tf.Tensor:
    """The picture at a path as float32 of `shape` in [-1, 1]."""
    data = tf.io.read_file(record["path"])
    image = tf.cond(record["transparent"], lambda: _over_white(data), lambda: _rgb(data))
    image = centered(upright(image, record["orientation"]), crop)
    return scaled(tf.image.rgb_to_grayscale(image) if shape[-1] == 1 else image, shape)


@functools.cache  # a run asks for each split several times
def _pixels(files: Files, crop: int | None, shape: tuple) -> np.ndarray:
    """All of the squares, uint8 [N, H, W, C]."""
    records = tf.data.Dataset.from_tensor_slices({field: list(values) for field, values in files._asdict().items()})
    squares = records.map(lambda record: _square(record, crop, shape), num_parallel_calls=tf.data.AUTOTUNE)
    pixels = squares.map(lambda x: tf.cast(tf.round((x + 1.0) * 127.5), tf.uint8)).prefetch(64)
    count = len(files.path)
    return np.stack(list(tqdm(pixels.as_numpy_iterator(), total=count, desc="decoding", disable=count < 1000 or None)))


def _rgb(data: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_image(data, channels=3, expand_animations=False)


def _over_white(data: tf.Tensor) -> tf.Tensor:
    """A transparent PNG, uint8 [H, W, 3], as it looks on white paper."""
    color, alpha = tf.split(tf.cast(tf.io.decode_png(data, channels=4), tf.float32), [3, 1], axis=-1)
    return tf.cast(tf.round(255.0 + (color - 255.0) * alpha / 255.0), tf.uint8)
