"""An uploaded picture, made like the pictures of a folder to train on: upright, square, resized."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 80_000_000  # of a picture before it is decoded, as of those in a folder


def read(data: bytes, shape: Sequence[int]) -> np.ndarray:
    """The central square of a PNG or JPEG, float32 of `shape` (H, W, C) in [-1, 1], C = 1 or 3. Alpha lies over white.

    Raises ValueError for what is no such picture, and for one of more than `MAX_PIXELS`.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            fits = image.width * image.height <= MAX_PIXELS
            upright = ImageOps.exif_transpose(image) if fits else image
    except Exception as error:  # Pillow's decoders raise many kinds
        raise ValueError("it is no PNG or JPEG that can be read") from error
    if not fits:
        raise ValueError(f"it has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    side = min(upright.size)
    left, top = (upright.width - side) // 2, (upright.height - side) // 2
    square = _eight_bits(upright.crop((left, top, left + side, top + side)))
    pixels = square.resize((width, height), Image.Resampling.BILINEAR).convert("L" if channels == 1 else "RGB")
    return np.asarray(pixels, np.float32).reshape(height, width, channels) / 127.5 - 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """Gray or RGB with 8 bits a channel. Of 16 bits it takes the upper ones, as TensorFlow does. Pillow would clip."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
