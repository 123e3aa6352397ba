"""The pictures of runs and studies as data URIs, within a number of bytes."""

import base64
import dataclasses
import io
import os
import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from bms_tf.core import picture_file
from bms_tf.reporting.runs import Run

FRAMES = 24  # the most of one picture over time
WIDTHS = (720, 480, 320, 200, 120)  # pixels, tried in turn
FIGURE = 1600  # the width of a picture without others over time; a study's figure has words to read
FEW = 6  # frames; where fewer fit, a smaller width is taken


@dataclasses.dataclass(frozen=True)
class Film:
    """One picture of one run over time. `frames`: (generator updates, data URI) in their order."""

    run: str
    frames: Sequence[tuple[int, str]]

    @property
    def without_last(self) -> list[tuple[int, str | None]]:
        """The frames. The last one has no picture here, as the page itself shows it."""
        return [*self.frames[:-1], (self.frames[-1][0], None)]


Files = Sequence[tuple[int, str]]  # (generator updates, path)


def over_time(run: Run) -> dict[str, Files]:
    """A run's pictures by name."""
    folder = os.path.join(run.path, "pictures")
    found: dict[str, list[tuple[int, str]]] = {}
    for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if match := re.fullmatch(r"(.+)_([0-9]+)\.png", file):
            found.setdefault(match[1], []).append((run.updates(int(match[2])), os.path.join(folder, file)))
    return {name: sorted(files) for name, files in found.items()}


def stills(folder: str, begin: str = "") -> dict[str, Files]:
    """The pictures in a folder whose file names start with `begin`, by the rest of the name."""
    names = sorted(file for file in os.listdir(folder) if file.startswith(begin) and file.endswith(".png"))
    return {name[len(begin) : -len(".png")]: [(0, os.path.join(folder, name))] for name in names}


def films(pictures: Mapping[str, Mapping[str, Files]], share: int) -> dict[str, list[Film]]:
    """The films of all runs by the picture's name, each of at most `share` bytes. `pictures`: by run and name.

    A picture that cannot be read is left out with a line on the screen.
    """
    found: dict[str, list[Film]] = {}
    for run, own in pictures.items():
        for name, files in own.items():
            if frames := within(files, share):
                found.setdefault(name, []).append(Film(run, frames))
    return found


def within(files: Files, budget: int) -> list[tuple[int, str]]:
    """As many frames as fit, evenly spaced from the first to the last, in the largest width at which enough fit."""
    frames = []
    for width in WIDTHS if len(files) > 1 else (FIGURE, *WIDTHS):
        last = _last_readable(files, width)
        if last is None:
            return []
        fitting = budget // len(last)
        if fitting < min(FEW, len(files)) and width != WIDTHS[-1]:
            continue
        chosen = _spaced(files, min(FRAMES, fitting))
        frames = [(when, uri) for when, file in chosen if (uri := data_uri(file, width)) is not None]
        break
    # Earlier pictures may need more bytes than the last one.
    while sum(len(uri) for _, uri in frames) > budget:
        frames = _spaced(frames, len(frames) - 1)
    return frames


def _last_readable(files: Files, width: int) -> str | None:
    return next(filter(None, (data_uri(path, width, quiet=True) for _, path in reversed(files))), None)


def _spaced(items: Sequence, count: int) -> list:
    """`count` of the items, evenly spaced. One alone is the last."""
    if count < 2:
        return list(items[-1:]) if count else []
    indices = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in indices]


def data_uri(path: str, width: int, *, quiet: bool = False) -> str | None:
    """A picture as WebP of at most `width` pixels. None where it cannot be read, with a line unless `quiet`."""
    try:
        with picture_file.opened(path) as image:
            image = image.convert("RGB")
    except ValueError as error:
        if not quiet:
            print(f"{error}; it is left out")
        return None
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
