"""Where examples come from: a model, a folder of pictures, an .npz, an array, or a split of an input pipeline.

Pictures, which are examples [H, W, C] of 1 or 3 channels, are taken as bytes, as they would be saved: so a model has
the scores that a folder of its samples has. Everything else is float32.
"""

import hashlib
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from bms_tf.core import picture_file
from bms_tf.core.examples import as_bytes, is_picture
from bms_tf.core.model import Model

BATCH = 100
SUFFIXES = (".png", ".jpg", ".jpeg")
TOLERANCE = 0.5 / 127.5  # half of a step between two bytes


@dataclass(frozen=True)
class Source:
    """`count` examples of `shape` in an order that is always the same."""

    name: str
    shape: tuple[int, ...]
    count: int
    identity: Mapping  # in words that JSON has; equal for two sources exactly if they give the same examples
    batches: Callable[[int], Iterator[np.ndarray]] = field(repr=False)  # from batch number i on: uint8 or float32


def of_model(model: Model, identity: Mapping, name: str, *, count: int, seed: int) -> Source:
    """`count` samples of a model; sample i depends on (seed, i) alone. `identity`: of its weights and its signature."""
    seeds, sample = seed * 2**32 + np.arange(count, dtype=np.int64), model.sample
    assert sample is not None, "every model that is loaded has it"

    def batches(first: int) -> Iterator[np.ndarray]:
        for i in range(first * BATCH, count, BATCH):
            x = sample(tf.constant(seeds[i : i + BATCH])).numpy()
            yield _stored(x, model.data_shape, f"the samples of {name}", clip=True)

    return Source(name, model.data_shape, count, {**identity, "seed": seed, "n": count}, batches)


def of_array(array: np.ndarray, name: str, *, count: int | None = None, seed: int = 0) -> Source:
    """Examples [N, ...] in memory, as of an .npz."""
    shape, _ = _example(array.shape, array.dtype, name)
    return _chosen(name, shape, len(array), count, seed, lambda: (array[i : i + BATCH] for i in _starts(len(array))))


def of_npz(path: str, *, count: int | None = None, seed: int = 0) -> Source:
    """The first array of an .npz, which is read in slices: pictures as uint8 or as floats in [-1, 1], or points [N, D].

    Raises ValueError for a file that is none, is damaged, or holds pickled objects, which are never loaded.
    """
    file, length = _opened(path)
    with file:
        shape, dtype = _header(file, path)
        held = length - file.tell()
    example, _ = _example(shape, dtype, path)
    size = dtype.itemsize * math.prod(shape[1:])
    if shape[0] * size > held:  # before memory is taken for so many
        raise ValueError(f"{path} is damaged: it has {held // size} of {shape[0]} examples")

    def slices() -> Iterator[np.ndarray]:
        file, _ = _opened(path)
        with file:
            _header(file, path)
            for i in _starts(shape[0]):
                part = (min(BATCH, shape[0] - i), *shape[1:])
                yield _reading(path, lambda part=part: np.frombuffer(file.read(part[0] * size), dtype).reshape(part))

    return _chosen(path, example, shape[0], count, seed, slices)


def of_folder(folder: str, *, count: int | None = None, seed: int = 0) -> Source:
    """The PNG and JPEG files of a folder and its sub-folders, all of one size; gray where all of them are.

    They are seen as `pipelines.image_folder` sees them: on white, in 8 bits, and turned as the camera's tag says.

    Raises ValueError if there is none, one cannot be read, or they differ in size.
    """
    paths = sorted(
        os.path.join(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    )
    if not paths:
        raise ValueError(f"{folder} holds no picture ({', '.join(SUFFIXES)})")
    paths = [paths[i] for i in _choice(len(paths), count, seed, folder)]
    with ThreadPoolExecutor() as pool:
        headers = list(pool.map(_header_of_picture, paths))
    size, gray = headers[0][0], all(header[1] for header in headers)
    for path, header in zip(paths, headers):
        _check_size(path, header[0], paths[0], size)

    def decode(path: str) -> np.ndarray:
        with picture_file.opened(path) as image:
            pixels = picture_file.pixels(image, gray=gray)
        _check_size(path, (pixels.shape[1], pixels.shape[0]), paths[0], size)
        return pixels

    def batches(first: int) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor() as pool:
            for i in range(first * BATCH, len(paths), BATCH):
                yield np.stack(list(pool.map(decode, paths[i : i + BATCH])))

    shape = (size[1], size[0], 1 if gray else 3)
    return _hashed(folder, shape, len(paths), batches)


def of_pipeline(data: Callable, split: str, *, count: int | None = None, seed: int = 0) -> Source:
    """The first `count` examples, or all, of a finite split of an input pipeline."""
    shape = tuple(data(split, 0, BATCH, seed).element_spec.shape[1:])
    name = f"{data.__name__}, {split}"

    def batches(first: int) -> Iterator[np.ndarray]:
        left = None if count is None else count - first * BATCH
        for x in data(split, first, BATCH, seed).as_numpy_iterator():
            yield _stored(x[:left], shape, name)
            if left is not None and (left := left - len(x)) <= 0:
                return

    return _hashed(name, shape, None, batches)


# Bytes and floats ----------------------------------------------------------------------------------------------------


def _stored(x: np.ndarray, shape: tuple[int, ...], name: str, *, clip: bool = False) -> np.ndarray:
    """A batch as bytes, where it is pictures, or float32. Raises ValueError for what is not finite or out of range."""
    if x.dtype == np.uint8 and is_picture(shape):
        return x.reshape(-1, *shape)
    x = np.asarray(x, np.float32).reshape(-1, *shape)
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise ValueError(f"{name}: {bad.sum()} of {len(x)} examples in a row hold NaN or infinity")
    if not is_picture(shape):
        return x
    if not clip and np.abs(x).max() > 1 + TOLERANCE:
        raise ValueError(f"{name}: pictures with values in [{x.min():.4g}, {x.max():.4g}]; {RANGE}")
    return as_bytes(x)


RANGE = "they must be uint8 in 0..255, or floats in [-1, 1]"


def _example(shape: Sequence[int], dtype: np.dtype, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """The shape of one example of an array of `shape`. Raises ValueError for one that holds no examples."""
    if dtype.kind not in "fiu" or min(shape, default=0) < 1:
        raise ValueError(f"{name} holds {dtype} of shape {tuple(shape)}; it must be numbers [N, ...] with N > 0")
    if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
        raise ValueError(
            f"{name} holds pictures of shape {tuple(shape[1:])}; channels must be last: transpose(0, 2, 3, 1)"
        )
    if len(shape) == 3:  # gray pictures without an axis of channels
        shape = (*shape, 1)
    if is_picture(shape[1:]) and dtype.kind != "f" and dtype != np.uint8:
        raise ValueError(f"{name} holds pictures of type {dtype}; {RANGE}")
    if len(shape) != 2 and not is_picture(shape[1:]):
        raise ValueError(
            f"{name} holds an array of shape {tuple(shape)}; it must be pictures [N, H, W, C] or points [N, D]"
        )
    return tuple(shape[1:]), dtype


# Which examples, and what identifies them -----------------------------------------------------------------------------


def _starts(count: int) -> range:
    return range(0, count, BATCH)


def _choice(available: int, count: int | None, seed: int, name: str) -> np.ndarray:
    """The numbers of the examples that are taken, ascending."""
    if count is None or count == available:
        return np.arange(available)
    if count > available:
        raise ValueError(f"{name} has {available} examples; {count} are asked for")
    return np.sort(np.random.default_rng(seed).choice(available, count, replace=False))


def _chosen(name, shape, available, count, seed, slices) -> Source:
    """Of `slices()`, batches of all that there is, the examples that are taken, in batches again."""
    chosen = _choice(available, count, seed, name)

    def batches(first: int) -> Iterator[np.ndarray]:
        kept, passed = [], 0
        skipped = chosen[first * BATCH] if first else 0
        for x in slices():
            inside = chosen[np.searchsorted(chosen, max(passed, skipped)) : np.searchsorted(chosen, passed + len(x))]
            kept.extend(_stored(x[inside - passed], shape, name) if len(inside) else ())
            passed += len(x)
            while len(kept) >= BATCH:
                yield np.stack(kept[:BATCH])
                del kept[:BATCH]
        if kept:
            yield np.stack(kept)

    source = _hashed(name, shape, len(chosen), batches)
    if is_picture(shape) and source.identity["least"] >= 127:  # 0 .. 1, or pictures without a dark pixel
        raise ValueError(f"{name}: no value of any picture is under 0; {RANGE}")
    return source


def _hashed(name: str, shape: tuple[int, ...], count: int | None, batches: Callable) -> Source:
    """The source with its examples' SHA-256, for which all of them are read once."""
    digest, seen, least = hashlib.sha256(), 0, np.inf
    bar = tqdm(desc=f"reading {name}", total=count, unit="example", delay=5, disable=None)
    for x in batches(0):
        digest.update(np.ascontiguousarray(x).data)
        seen += len(x)
        least = min(least, x.min())
        bar.update(len(x))
    bar.close()
    if not seen:
        raise ValueError(f"{name} has no examples")
    return Source(name, shape, seen, {"sha256": digest.hexdigest(), "n": seen, "least": float(least)}, batches)


# Files ----------------------------------------------------------------------------------------------------------------


def _reading(path: str, read: Callable):
    """What `read()` gives. Raises ValueError in one line for what a damaged file makes of it."""
    try:
        return read()
    except Exception as error:  # an archive, its packing and NumPy's header raise many kinds
        if isinstance(error, OSError) and error.filename:  # it may not be read at all
            raise
        raise ValueError(f"{path} is damaged, or no .npz: {' '.join(str(error).split())}") from error


def _opened(path: str) -> tuple[IO[bytes], int]:
    """The first array of an .npz as a stream, and the bytes that it has."""
    archive = _reading(path, lambda: zipfile.ZipFile(path))
    found = next((file for file in archive.infolist() if file.filename.endswith(".npy")), None)
    if found is None:
        raise ValueError(f"{path} holds no array")
    return _reading(path, lambda: archive.open(found)), found.file_size


def _header(file, path: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array in a stream, which is then at its first number."""

    def read():
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        return readers[version](file)

    shape, in_columns, dtype = _reading(path, read)
    if dtype.hasobject:
        raise ValueError(f"{path} holds pickled objects, which are never loaded; save an array of numbers")
    if in_columns and len(shape) > 1:
        raise ValueError(f"{path} is stored column by column; save numpy.ascontiguousarray(x)")
    return shape, dtype


def _header_of_picture(path: str) -> tuple[tuple[int, int], bool]:
    """Its size, and whether it is gray."""
    with picture_file.opened(path) as image:
        return picture_file.size(image), image.mode in picture_file.GRAY and not image.has_transparency_data


def _check_size(path: str, size: tuple[int, int], first: str, wanted: tuple[int, int]) -> None:
    if size != wanted:
        raise ValueError(
            f"{path} has {size[0]} x {size[1]} pixels and {first} {wanted[0]} x {wanted[1]}; all must have the same "
            "(--data=gin/data/image_folder.gin cuts and resizes them)"
        )
