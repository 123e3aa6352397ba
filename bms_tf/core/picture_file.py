"""A picture on the disk, which may be damaged, or no picture at all."""

import contextlib
import os
import struct
from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image, ImageOps

GRAY = ("1", "L", "I;16", "I")  # Pillow's modes of a picture without colors
# What Pillow raises for a damaged PNG or JPEG. A lack of memory is not the file's fault, nor is a bug of ours.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


@contextlib.contextmanager
def opened(path: str) -> Iterator[Image.Image]:
    """An open PNG or JPEG. Raises ValueError, with the path, where it, or what is read from it inside, is damaged."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # to open a pipe would wait for ever
            raise ValueError("it is no regular file")
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            yield image
    except _DAMAGED as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def size(image: Image.Image) -> tuple[int, int]:
    """Width and height as `pixels` has them. Only a JPEG's tag counts, as a PNG would be decoded for it."""
    turned = image.format == "JPEG" and image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)
    return (image.height, image.width) if turned else image.size


def pixels(image: Image.Image, *, gray: bool) -> np.ndarray:
    """A picture as it looks on white paper, uint8 [H, W, 1 or 3]: in 8 bits, and turned as its camera's tag says."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I"):  # of which Pillow would take the low byte, and white for what exceeds it
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        color, alpha = np.split(np.asarray(image.convert("RGBA"), np.float32), [3], axis=-1)
        image = Image.fromarray(np.round(255 + (color - 255) * alpha / 255).astype(np.uint8))
    return np.atleast_3d(np.asarray(image.convert("L" if gray else "RGB")))
