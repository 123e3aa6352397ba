"""Sliced Wasserstein distances: of patches (Karras et al., Progressive Growing of GANs, 2018), and of features.

The pyramid is tensorflow-gan's where that package runs. The rest of its distance takes all pictures at once, only in
color, and draws from the process's global generators. Here pictures are read a few at a time, and draws have the
metric's seed.
"""

from collections.abc import Callable, Iterator
from functools import partial

import gin
import numpy as np
import tensorflow as tf
from scipy.ndimage import convolve1d
from scipy.stats import wasserstein_distance

from bms_tf.metrics.tfgan import laplacian_pyramid

FILTER = np.array([1, 4, 6, 4, 1]) / 16  # of OpenCV's pyrDown, along each axis
IMAGES = 256  # at a time
DIRECTIONS = 50  # at a time


def _blurred(images: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        images = convolve1d(images, FILTER, axis=axis, mode="mirror")
    return images


def _enlarged(images: np.ndarray) -> np.ndarray:
    """Twice as large; four times the blur of an image with zeros between its pixels, as OpenCV's pyrUp."""
    count, height, width, channels = images.shape
    spread = np.zeros((count, 2 * height, 2 * width, channels), images.dtype)
    spread[:, ::2, ::2] = images
    return 4 * _blurred(spread)


def laplacian_level(images: np.ndarray, level: int, levels: int) -> np.ndarray:
    """A level of the Laplacian pyramid of images [N, H, W, C]: 0 the finest, levels - 1 what is left; [N, h, w, C].

    By tensorflow-gan where it runs.
    """
    if theirs := laplacian_pyramid():
        return theirs(tf.constant(images), levels)[level].numpy()
    return _laplacian_level(images, level, levels)


def _laplacian_level(images: np.ndarray, level: int, levels: int) -> np.ndarray:
    """The same without tensorflow-gan."""
    for _ in range(level):
        images = _blurred(images)[:, ::2, ::2]
    return images if level == levels - 1 else images - _enlarged(_blurred(images)[:, ::2, ::2])


def patches(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: int) -> np.ndarray:
    """Patches around the given centers [N, P] of each image, each with mean 0 and variance 1: [N * P, size^2 * C].

    A patch of one value is zero.
    """
    around = np.arange(size) - size // 2
    number = np.arange(len(images))[:, None, None, None]
    y, x = rows[..., None, None] + around[:, None], columns[..., None, None] + around
    cut = images[number, y, x].reshape(rows.size, -1)
    cut = cut - cut.mean(axis=1, keepdims=True)
    deviation = cut.std(axis=1, keepdims=True)
    return cut / np.where(deviation > 0, deviation, 1)


def sliced_distance(a: np.ndarray, b: np.ndarray, directions: np.ndarray) -> float:
    """The mean over the columns of `directions` [D, K] of the 1-D Wasserstein distance of a and b [N, D] along it."""
    unit = directions / np.linalg.norm(directions, axis=0)
    distances = [np.abs(np.sort(a @ direction) - np.sort(b @ direction)).mean() for direction in unit.T]
    return float(np.mean(distances))


@gin.configurable
def sliced_wasserstein(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    max_images: int = 8192,
    coarsest: int = 16,
    patches_per_image: int = 64,
    patch_size: int = 7,
    directions: int = 147,
) -> dict[str, float]:
    """Textures at each scale: sliced Wasserstein distances of patches of a Laplacian pyramid (Karras et al. 2018).

    Each patch is normalized by itself, as in tensorflow-gan. The paper normalizes each color channel over all patches.

    It sees textures that are wrong at a scale. It does not see how patches are put together, or a patch's own
    brightness and contrast.

    Args:
        samples: images [N, H, H, C].
        reference: images [M, H, H, C]. Both sets are cut to equal numbers, from the first on.
        seed: of the patches' places and the directions.
        max_images: of each.
        coarsest: the coarsest level has at least so many pixels. Each level halves the one before, from H on.
        patches_per_image: at each level.
        patch_size: pixels along a side.
        directions: how many directions are drawn.

    Returns:
        swd_32, swd_16 and so on: the distance at each level, named by its pixels; swd: their mean. (The paper prints
        them times 1000.)

    Raises:
        ValueError: if the images are not square, too small for a patch, or of a side that a level cannot halve.
    """
    shape = samples.shape[1:]
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] < patch_size:
        raise ValueError(
            f"samples of shape {shape}; they must be square images, {patch_size} pixels wide or more "
            "(feature_sliced_wasserstein takes features and points)"
        )
    count, height = min(len(samples), len(reference), max_images), shape[0]
    smallest = min(coarsest, height)
    levels = int(np.log2(height)) - int(np.log2(smallest)) + 1
    if height % 2 ** (levels - 1):
        raise ValueError(
            f"samples of shape {shape}; a side must be a multiple of {2 ** (levels - 1)}, as {levels} levels halve it"
        )
    rng = np.random.default_rng(seed)
    scores = {}
    for level in range(levels):
        filtered = partial(laplacian_level, level=level, levels=levels)
        cut = [
            np.concatenate([*_descriptors(_slices(images, count), filtered, rng, patches_per_image, patch_size)])
            for images in (reference, samples)
        ]
        axes = rng.normal(size=(cut[0].shape[1], directions)).astype(np.float32)
        scores[f"swd_{height // 2**level}"] = sliced_distance(cut[0], cut[1], axes)
    return {**scores, "swd": float(np.mean(list(scores.values())))}


sliced_wasserstein.needs = "rows"
sliced_wasserstein.better = {"swd": "lower"}


@gin.configurable
def feature_sliced_wasserstein(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, directions: int = 500
) -> dict[str, float]:
    """Sliced Wasserstein distance of features, the mean over random directions (Rabin et al. 2011).

    It sees where the two lie apart along any direction of the features. It does not see modes that the features do not
    tell apart, and of many features each direction shows little.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        seed: of the directions, which are uniform on the sphere.
        directions: how many.

    Returns:
        feature_swd: the distance, in the features' unit, which falls as N and M grow. feature_swd_std: its standard
            error over the directions.

    Raises:
        ValueError: for fewer than two directions.
    """
    if directions < 2:
        raise ValueError(f"feature_sliced_wasserstein.directions is {directions}; it must be at least 2")
    axes = np.random.default_rng(seed).normal(size=(samples.shape[1], directions))
    axes = (axes / np.linalg.norm(axes, axis=0)).astype(np.float32)
    found = []
    for i in range(0, directions, DIRECTIONS):
        along = [np.asarray(x) @ axes[:, i : i + DIRECTIONS] for x in (samples, reference)]
        found += [wasserstein_distance(a, b) for a, b in zip(along[0].T, along[1].T)]
    return {"feature_swd": float(np.mean(found)), "feature_swd_std": float(np.std(found, ddof=1) / len(found) ** 0.5)}


feature_sliced_wasserstein.better = {"feature_swd": "lower"}


def _descriptors(
    slices: Iterator[np.ndarray], level: Callable, rng: np.random.Generator, per_image: int, size: int
) -> Iterator[np.ndarray]:
    """Normalized patches at random places of each image, float32 [N * per_image, size^2 * C]."""
    for images in slices:
        x = level(images)
        y_of_patches, x_of_patches = (
            rng.integers(size // 2, side - size // 2, size=(len(x), per_image)) for side in x.shape[1:3]
        )
        yield patches(x, y_of_patches, x_of_patches, size).astype(np.float32)


def _slices(images: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """The first `count` images as arrays of few."""
    return (np.asarray(images[i : min(i + IMAGES, count)], np.float32) for i in range(0, count, IMAGES))
