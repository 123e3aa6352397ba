"""A picture on the disk, which may be damaged, or no picture at all."""

import contextlib
import os
from collections.abc import Iterator

from PIL import Image


@contextlib.contextmanager
def opened(path: str) -> Iterator[Image.Image]:
    """An open PNG or JPEG. Raises ValueError, with the path, where it, or what is read from it inside, is damaged."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # to open a pipe would wait for ever
            raise ValueError("it is no regular file")
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            yield image
    except Exception as error:  # Pillow's decoders raise many kinds
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
