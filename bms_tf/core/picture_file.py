"""A picture on the disk, which may be damaged, or no picture at all."""

import contextlib
import os
import struct
from collections.abc import Iterator

from PIL import Image

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
