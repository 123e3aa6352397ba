"""Pictures drawn during and after training: `picture(samples, reference, reconstruct=None, ...) -> Figure`.

A picture function returns None if it needs what a system does not have.

Pyplot is not used: a Figure of its own needs no display and leaves no global state.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import gin
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import NearestNeighbors

from bms_tf.metrics.drawing import grid, over

Reconstruct = Callable[[np.ndarray], np.ndarray]


@gin.configurable
def density(
    samples: np.ndarray,
    reference: np.ndarray,
    reconstruct: Reconstruct | None = None,
    *,
    bins: int = 250,
    blur: float = 1.5,
) -> Figure:
    """Density of the data beside that of the samples, on the same axes, as in VEEGAN's figure 2.

    Args:
        samples: [N, 2].
        reference: [M, 2]. The axes cover its 0.1 % to 99.9 % quantiles and a margin, so that no outlier stretches them.
            The titles say how many points lie outside.
        reconstruct: not used.
        bins: of the histogram, along each axis; at most 10,000.
        blur: standard deviation of the Gaussian that smooths it, in bins.

    Raises:
        ValueError: for a value out of range.
    """
    if not 1 <= bins <= 10_000 or blur < 0:
        raise ValueError(f"density.bins is {bins} and blur {blur}; they must lie in 1..10000 and not be negative")
    low, high = np.quantile(reference, (0.001, 0.999), axis=0)
    margin = 0.15 * (high - low).max()
    limits = np.stack([low - margin, high + margin], axis=1)

    figure = Figure(figsize=(8, 4.3), layout="constrained")
    # Brightness is the fourth root of the density, so that a thin bridge between modes is seen beside a peak.
    norm = PowerNorm(0.25)
    for axes, name, points in zip(figure.subplots(1, 2), ("data", "samples"), (reference, samples), strict=True):
        inside = np.all((points >= limits[:, 0]) & (points <= limits[:, 1]), axis=1)  # False for NaN
        counts, *_ = np.histogramdd(points[inside], bins=bins, range=limits.tolist())
        image = gaussian_filter(counts / max(len(points), 1), blur)
        # The first image, the data's, sets the range of the norm for both.
        axes.imshow(image.T, origin="lower", extent=limits.ravel(), cmap="magma", norm=norm)
        outside = len(points) - np.count_nonzero(inside)
        axes.set_title(f"{name}: {len(points):,} points" + (f", {outside:,} outside" if outside else ""))
    return figure


FEW = 500  # samples that are drawn as dots; of more the density is


def points(samples: np.ndarray, modes: np.ndarray | None = None, title: str = "") -> Figure:
    """Where samples lie: a few as dots, many as their density in the colors of `density`. Brighter means more.

    Args:
        samples: [N, 2].
        modes: [M, 2], the modes of the true density, drawn as circles; None if they are not known.
        title: of the figure.
    """
    around = samples if modes is None else np.concatenate([samples, modes])
    figure, axes = _plane(around, title)
    if len(samples) <= FEW:
        axes.plot(*samples.T, "o", color=_BRIGHT, markersize=4, markeredgewidth=0, alpha=0.8, label="samples")
    else:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        counts, *_ = np.histogram2d(*samples.T, bins=200, range=[(left, right), (bottom, top)])
        image = gaussian_filter(counts / len(samples), 1.0)
        shown = axes.imshow(
            image.T, origin="lower", extent=(left, right, bottom, top), cmap="magma", norm=PowerNorm(0.25, vmin=0)
        )
        figure.colorbar(
            shown, shrink=0.8, format=PercentFormatter(1.0), label="share of the samples in one of 200 x 200 cells"
        )
    _circle(axes, modes)
    return figure


def walk(path: np.ndarray, at: int, modes: np.ndarray | None = None) -> Figure:
    """A path through the plane, with one of its points.

    Args:
        path: [N, 2].
        at: the point's number.
        modes: see `points`.
    """
    figure, axes = _plane(path if modes is None else np.concatenate([path, modes]), "")
    axes.plot(*path.T, "-", color="0.6", linewidth=1, label="the walk")
    axes.plot(*path[at], "o", color=_BRIGHT, markersize=14, markeredgecolor="white", markeredgewidth=1.5, label="here")
    _circle(axes, modes)
    return figure


_BRIGHT = "#fc8961"  # of the color map magma, far from its dark end, on which it is drawn


def _plane(around: np.ndarray, title: str) -> tuple[Figure, Axes]:
    """A dark square with all of the points `around` in it, NaN aside, to the same scale along both axes."""
    finite = around[np.isfinite(around).all(axis=1)]
    low, high = (finite.min(axis=0), finite.max(axis=0)) if len(finite) else (-np.ones(2), np.ones(2))
    half = 0.5 * (high - low).max() * 1.15 or 1.0
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", title=title, facecolor="black")
    return figure, axes


def _circle(axes: Axes, modes: np.ndarray | None):
    if modes is not None:
        axes.plot(*np.transpose(modes), "o", markersize=17, fillstyle="none", color="cyan", label="true modes")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=3, frameon=False, labelspacing=1.0)


def samples_of(x: np.ndarray, modes: np.ndarray | None = None, title: str = "") -> Figure:
    """Samples drawn as what they are: images of 1 or 3 channels, points of the plane, or else curves.

    Args:
        x: [N, ...], images in [-1, 1].
        modes: see `points`.
        title: of the figure.
    """
    if x.ndim == 4 and x.shape[-1] in (1, 3):
        return grid(x, math.ceil(math.sqrt(len(x))), title)
    return points(x, modes, title) if x.shape[1:] == (2,) else curves(x.reshape(len(x), -1), title)


def curves(samples: np.ndarray, title: str = "") -> Figure:
    """Samples as curves over their dimensions.

    Args:
        samples: [N, D].
        title: of the figure.
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot(samples.T, linewidth=0.5)
    axes.set(title=title, xlabel="dimension")
    return figure


@gin.configurable
def sample_grid(
    samples: np.ndarray, reference: np.ndarray, reconstruct: Reconstruct | None = None, *, side: int = 8
) -> Figure:
    """The first side x side of the samples.

    Args:
        samples: [N, H, W, C] in [-1, 1].
        reference: not used.
        reconstruct: not used.
        side: images in a row, and rows.
    """
    return grid(samples[: side**2], side, "samples")


@gin.configurable
def reconstruction_grid(
    samples: np.ndarray,
    reference: np.ndarray,
    reconstruct: Reconstruct | None = None,
    *,
    columns: int = 8,
    rows: int = 4,
) -> Figure | None:
    """The first images of the reference, each over its reconstruction; None if there are no reconstructions.

    Args:
        samples: not used.
        reference: [M, H, W, C] in [-1, 1].
        reconstruct: from images to their reconstructions; None where the system has none.
        columns: images in a row.
        rows: of images, each with a row of reconstructions.
    """
    if reconstruct is None:
        return None
    originals = reference[: columns * rows]
    return grid(over(originals, reconstruct(originals)), columns, "held-out images, their reconstructions below")


@gin.configurable
def nearest_training(
    samples: np.ndarray,
    reference: np.ndarray,
    reconstruct: Reconstruct | None = None,
    *,
    data: Callable[[str, int, int, int], Iterable],
    columns: int = 8,
    rows: int = 4,
) -> Figure:
    """The first samples, each over the training image nearest in pixels: it shows samples learnt by heart.

    Args:
        samples: [N, H, W, C] in [-1, 1].
        reference: not used.
        reconstruct: not used.
        data: a pipeline with the split "train_once".
        columns: images in a row.
        rows: of samples, each with a row of training images.
    """
    dataset: Any = data("train_once", 0, 500, 0)  # TensorFlow's, which is not imported here
    training = np.concatenate(list(dataset.as_numpy_iterator()))
    samples = samples[: columns * rows]
    flat = np.clip(np.nan_to_num(samples), -1, 1).reshape(len(samples), -1)
    search = NearestNeighbors(n_neighbors=1).fit(training.reshape(len(training), -1))
    nearest = search.kneighbors(flat, return_distance=False)[:, 0]
    return grid(over(samples, training[nearest]), columns, "samples, the nearest training images below")
