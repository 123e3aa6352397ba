"""How pictures get the size that a network wants: it changes every score, so that each way has its name.

Pixels are float32 [B, H, W, C] in 0..255, before and after.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from PIL import Image


def tf1_bilinear(pixels: np.ndarray, side: int) -> np.ndarray:
    """The first TensorFlow's `resize_bilinear`, inside the Inception graph of 2015: no antialiasing.

    Pixel i of the result lies at i * H / side of the picture. Since TensorFlow 2 it is (i + 1/2) * H / side - 1/2.
    """
    return tf.raw_ops.ResizeBilinear(images=pixels, size=[side, side], align_corners=False).numpy()


def clean_fid(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pillow's bicubic filter, with antialiasing, on floats (Parmar et al., On Aliased Resizing, 2022)."""

    def channel(plane: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)).clip(0, 255)

    count, *_, channels = pixels.shape
    with ThreadPoolExecutor() as pool:  # Pillow works outside Python's lock
        planes = list(pool.map(channel, (picture[..., c] for picture in pixels for c in range(channels))))
    return np.stack(planes).reshape(count, channels, side, side).transpose(0, 2, 3, 1)


RESIZERS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    function.__name__: function for function in (tf1_bilinear, clean_fid)
}


def resized(pixels: np.ndarray, side: int, resizer: str) -> np.ndarray:
    """`pixels` with sides of `side` by the resizer of that name; gray ones as they are. Unchanged if they have it."""
    return pixels if pixels.shape[1:3] == (side, side) else RESIZERS[resizer](pixels, side)
