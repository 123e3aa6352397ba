"""Files that are whole or absent, and locks that die with the process that holds them."""

import contextlib
import errno
import fcntl
import json
import math
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeVar

T = TypeVar("T")

BLOCK = 1 << 16  # bytes that are read at once in the search for the end of the last whole line

# What flock raises where the disk knows no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def write_whole(path: str, text: str):
    """Makes `text` all that is in the file, or leaves what was there. Raises OSError where it cannot be written."""
    with whole(path) as new, open(new, "w", encoding="utf-8") as file:
        file.write(text)


def read_text(path: str) -> str:
    """The text of a file. Raises ValueError where it is none."""
    with open(path, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is damaged ({error})") from error


def read_json(path: str) -> dict:
    """The object in a JSON file. Raises ValueError where there is none."""
    try:
        value = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged (it is no JSON object)")
    return value


def read_rows(path: str, row: Callable[[Any], T], damaged: Callable[[str], None]) -> list[T]:
    """What `row` makes of each line of JSON in a file, nothing where there is no file.

    `damaged` hears "path:number" of each line of which it makes nothing; a last one that a crash cut off is left out.
    """
    rows = []
    if os.path.exists(path):
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    rows.append(row(json.loads(line)))
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    damaged(f"{path}:{number}")
    return rows


def append_rows(path: str, rows: Sequence[Mapping[str, Any]]):
    """Adds lines of JSON to a file, behind its last whole line: a kill or a full disk may have cut one off.

    They are on the disk when it returns. Other processes that append wait meanwhile, but on a disk without locks.
    Raises OSError, with `path`, where they cannot be written.
    """
    text = "".join(json.dumps(row) + "\n" for row in rows)
    try:
        with open(path, "a+b") as file:
            with contextlib.suppress(OSError):  # a disk without locks
                fcntl.flock(file, fcntl.LOCK_EX)  # else what another process adds meanwhile would be cut off
            file.truncate(_end_of_lines(file))
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _end_of_lines(file: BinaryIO) -> int:
    """The position behind the last line break, 0 where there is none."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = file.seek(max(0, end - BLOCK))
        if found := file.read(end - start).rfind(b"\n") + 1:
            return start + found
        end = start
    return 0


def with_nulls(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores as JSON can hold them: None where a value is not finite."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}


def number(value: float | None) -> float:
    """The way back, of one value: NaN for None."""
    return math.nan if value is None else float(value)


@contextlib.contextmanager
def whole(path: str) -> Iterator[str]:
    """Yields the path of a file to be written, which then takes the place of `path` at once, or not at all.

    It is on the disk before it is renamed, so that after a loss of power too there is the old file or the new one.
    Raises OSError, with `path`, where it cannot be written.
    """
    new = f"{path}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.remove(new)  # which may be a link to somewhere else, in a folder of others
        yield new
        sync(new)
        os.replace(new, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(new)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, path) from error
        raise
    sync(os.path.dirname(path) or ".")


def sync(path: str):
    """Waits until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks cannot do it with a folder
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(path: str, doing: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock file `path`, for one process at a time.

    Args:
        path: the file, which stays. It says who had the lock last.
        doing: what the holder does, for the message to another one: "training in FOLDER".
        wait: until the other one lets it go.

    The system lets a lock go when its process ends, however it ends. Of network disks, NFS (Linux 2.6.12 and newer) and
    Lustre mounted with `flock` hold it over all machines, and let it go some time after its holder's machine has died.
    A disk that holds it within one machine alone (NFS mounted with `local_lock`, Lustre with `localflock`) does not say
    so. On one that knows no locks a line is printed and nothing is held.

    Raises ValueError, with host and process of the holder, where another one has it and `wait` is False, and OSError
    where `path` is a link, which may lead out of a folder of others.
    """
    with open(path, "a+", opener=lambda path, mode: os.open(path, mode | os.O_NOFOLLOW, 0o666)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            line = f"{file.read().strip() or 'another process'} is {doing}"
            if not wait:
                raise ValueError(line) from error
            print(f"{line}; waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print(f"{path}: there are no locks on this disk; a second process here would not be noticed", flush=True)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
