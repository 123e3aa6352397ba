"""The picture files of a folder: found without going in circles, looked at once, and remembered in the user's cache."""

import functools
import hashlib
import json
import logging
import os
import pathlib
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_PIXELS = 80_000_000  # of one picture: some 2 KB of PNG can claim any number, and each takes three bytes or more
ORIENTATION = 0x0112  # the tag of Exif by which a camera says how it was held


class Picture(NamedTuple):
    """What indexing found out about a file; `fault` is empty for a picture that can be read."""

    stamp: str  # size and time of the file, to see whether it changed
    fault: str
    digest: str = ""  # of the file's bytes
    width: int = 0
    height: int = 0
    mode: str = ""
    transparent: bool = False
    orientation: int = 1  # 1 to 8, as Exif numbers them; 1 is upright


def _look(path: str, stamp: str) -> Picture:
    """Decodes the whole picture: a truncated one has a good header."""
    try:
        with open(path, "rb") as file, Image.open(file, formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
            image.load()
            file.seek(0)
            return Picture(
                stamp,
                "",
                hashlib.file_digest(file, "sha1").hexdigest(),
                image.width,
                image.height,
                image.mode,
                image.has_transparency_data,
                _orientation(image),
            )
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds
        # What the system refuses, it may give next time: without a stamp the picture is looked at again.
        refused = isinstance(error, OSError) and error.errno
        return Picture("" if refused else stamp, " ".join(str(error).split()) or type(error).__name__)


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged tags of a picture that is whole
        return 1
    return found if found in range(1, 9) else 1


def _stamps(folder: str) -> tuple[dict[str, str], dict[str, Picture]]:
    """Every file that is called a picture, by its relative name: its stamp, or what is wrong with it.

    Links are followed, and each directory is listed once, under its own name rather than that of a link to it.
    """
    stamps, faulty, seen = {}, {}, set()
    own, linked = [folder], []
    while own or linked:
        directory = (own or linked).pop(0)
        real = os.path.realpath(directory)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            faulty[os.path.relpath(directory, folder)] = Picture("", error.strerror or str(error))
            continue
        for entry in entries:
            if os.path.isdir(entry.path):
                (linked if entry.is_symlink() else own).append(entry.path)
            elif entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith("."):
                name = os.path.relpath(entry.path, folder)
                if not _is_text(name):
                    faulty[os.fsencode(name).decode("utf-8", "replace")] = Picture("", "its name is no UTF-8")
                    continue
                try:
                    status = os.stat(entry.path)
                except OSError as error:  # a link that leads nowhere, or to itself
                    faulty[name] = Picture("", error.strerror or str(error))
                    continue
                if stat.S_ISREG(status.st_mode):
                    stamps[name] = f"{status.st_size} {status.st_mtime_ns}"
                else:  # to open a pipe would wait for ever
                    faulty[name] = Picture("", "is no regular file")
    return stamps, faulty


def _is_text(name: str) -> bool:
    """Whether it can be written as UTF-8, as TensorFlow does: Linux takes any bytes for a name."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


@functools.cache
def index(folder: str) -> dict[str, Picture]:
    """Every picture under `folder` by its relative name, each looked at once and then remembered in the user's cache.

    Raises ValueError if there is no such folder or no picture in it.
    """
    if not os.path.isdir(folder):
        raise ValueError(f"image_folder.folder is {folder!r}, which is no folder")
    stamps, faulty = _stamps(folder)
    if not stamps and not faulty:
        raise ValueError(f"{folder} and its sub-folders hold no picture ({', '.join(SUFFIXES)})")
    # Another version of this file remembers something else.
    key = hashlib.sha1(f"{Picture._fields} {MAX_PIXELS} {os.path.realpath(folder)}".encode()).hexdigest()
    root = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bms_tf")
    cache = pathlib.Path(root).expanduser() / f"pictures_{key}.json"
    try:
        known = {name: Picture(*values) for name, values in json.loads(cache.read_text()).items()}
    except (OSError, ValueError, TypeError):  # none, or a damaged one
        known = {}
    found = {name: known[name] for name, stamp in stamps.items() if name in known and known[name].stamp == stamp}
    new = sorted(stamps.keys() - found.keys())
    if new:
        with ThreadPoolExecutor() as pool:  # Pillow decodes outside Python's lock
            looked = pool.map(lambda name: _look(os.path.join(folder, name), stamps[name]), new)
            found |= zip(
                new, tqdm(looked, total=len(new), desc=f"looking at {folder}", disable=len(new) < 1000 or None)
            )
        _write(json.dumps(found), cache)
    return dict(sorted((found | faulty).items()))


def _write(text: str, path: pathlib.Path) -> None:
    """All of the file or none of it. A cache that cannot be written costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text)
        os.replace(file.name, path)
    except OSError as error:
        logging.warning("%s cannot be written (%s): the pictures are looked at anew each time", path, error)
