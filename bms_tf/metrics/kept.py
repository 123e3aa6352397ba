"""What is computed once and kept on the disk, as plain arrays: reading them can run no code, whoever wrote the file."""

import functools
import logging
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence

import numpy as np


def read_arrays(path: pathlib.Path) -> list[np.ndarray]:
    """The arrays in a file of `write_arrays`. Raises FileNotFoundError, and ValueError for a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[f"arr_{i}"] for i in range(len(file.files))]
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive raises many kinds
        raise ValueError(f"{path} cannot be read ({' '.join(str(error).split())})") from error


def write_arrays(path: pathlib.Path, arrays: Sequence[np.ndarray]) -> None:
    """Writes beside the path and renames, so that no reader sees half a file. An unwritable cache costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # also if the disk is full, nothing stays there
            new = os.path.join(folder, "new.npz")
            np.savez(new, *arrays)
            os.replace(new, path)
    except OSError as error:
        logging.warning("%s cannot be written (%s): it is made anew each time", path, error)


def kept(statistics: Callable[[np.ndarray], Sequence[np.ndarray]]):
    """A function of features that gives arrays: of features with a `beside`, a path, they are kept there."""

    @functools.wraps(statistics)
    def found(features: np.ndarray) -> Sequence[np.ndarray]:
        beside = getattr(features, "beside", None)
        if beside is None:
            return statistics(features)
        path = pathlib.Path(f"{beside}.{statistics.__name__}.npz")
        try:
            return read_arrays(path)
        except FileNotFoundError:
            pass
        except ValueError as error:
            logging.warning("%s: making it again", error)
        arrays = statistics(features)
        write_arrays(path, arrays)
        return arrays

    return found
