"""Images side by side in one figure, for metrics that have something to show."""

import numpy as np
from matplotlib.figure import Figure


def grid(images: np.ndarray, columns: int, title: str) -> Figure:
    """A figure of images [N, H, W, C] in [-1, 1], row by row with a white line between; NaN is black."""
    images = np.clip(np.nan_to_num(np.asarray(images, np.float32), nan=-1) / 2 + 0.5, 0, 1)
    images = np.pad(images, [(0, -len(images) % columns), (0, 2), (0, 2), (0, 0)], constant_values=1)
    _, height, width, channels = images.shape
    tiled = images.reshape(-1, columns, height, width, channels).swapaxes(1, 2).reshape(-1, columns * width, channels)

    figure = Figure(figsize=(6, 0.3 + 6 * tiled.shape[0] / tiled.shape[1]), layout="constrained")
    axes = figure.subplots()
    # The color map is for one channel; three are shown as they are.
    axes.imshow(tiled[:-2, :-2], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title)
    axes.set_axis_off()
    return figure


def over(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Each image over its partner, a gray line between: [N, 2 H + 1, W, C]."""
    return np.concatenate([upper, np.zeros_like(upper[:, :1]), lower], axis=1)
