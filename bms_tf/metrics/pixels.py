"""A Frechet distance in coarse pixels: for any pictures, without a network. It sees colors and layout, no detail."""

import gin
import numpy as np

from bms_tf.metrics.energy import finite_parts
from bms_tf.metrics.frechet import frechet_distance


@gin.configurable
def pixel_scores(samples: np.ndarray, reference: np.ndarray, *, seed: int, side: int = 8) -> dict[str, float]:
    """`frechet_pixel_distance`, the Frechet distance of images averaged over a grid of side x side cells (not FID).

    It sees means and covariances of colors and layout. It does not see any detail that is smaller than a cell.

    Args:
        samples: [N, H, W, C] in [-1, 1]. Those that are not finite are left out.
        reference: [M, H, W, C] in [-1, 1].
        seed: not used: nothing here is random.
        side: cells along each edge.

    Returns:
        The distance, in squared units of the pixels; NaN with fewer than two finite samples.

    Raises:
        ValueError: for what is no picture, or if `side` does not divide H and W.
    """
    if samples.ndim != 4:
        raise ValueError(f"samples of shape {samples.shape[1:]}; pixel_scores takes pictures, [H, W, C]")
    cells = [[_cells(part, side) for part in finite_parts(images)] for images in (samples, reference)]
    if sum(map(len, cells[0])) < 2:
        return {"frechet_pixel_distance": float("nan")}
    return {"frechet_pixel_distance": frechet_distance(*map(np.concatenate, cells))}


pixel_scores.needs = "rows"
pixel_scores.better = {"frechet_pixel_distance": "lower"}


def _cells(images: np.ndarray, side: int) -> np.ndarray:
    count, height, width, channels = images.shape
    if side < 1 or height % side or width % side:
        raise ValueError(f"pixel_scores.side is {side}; it must divide images of {height} x {width}")
    cells = images.reshape(count, side, height // side, side, width // side, channels)
    return cells.mean(axis=(2, 4), dtype=np.float64).reshape(count, -1)
