"""What was computed of the examples, on the disk: rows of features, of class scores, or the examples themselves; and
beside them what metrics compute of all rows of a file, such as mean and covariance.

A file grows batch by batch, so that a process that is killed loses one batch; its length says how far it is. It is
found again by what it holds: the examples, and the network with all that matters for its numbers.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bms_tf.core.files import write_whole
from bms_tf.evaluation.sources import BATCH, Source


class Store:
    """A folder of such files."""

    def __init__(self, folder: str):
        self.folder = Path(folder).expanduser()

    def rows(
        self,
        source: Source,
        wanted: Mapping[str, Mapping],
        compute: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    ) -> dict[str, np.ndarray]:
        """The arrays of the names in `wanted`, memory-mapped, each [source.count, ...].

        Args:
            source: the examples, which are gone through once, from where the first unfinished file ends.
            wanted: for each name what it depends on beside the examples, in words that JSON has.
            compute: gives the rows of all these names for a batch as the source has it.

        Raises:
            OSError: if they cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = {name: self.folder / _key(source.identity, name, of) for name, of in wanted.items()}
        with contextlib.ExitStack() as stack:
            # Each file is locked, by all processes in one order: two that hold what the other wants wait for ever.
            in_order = sorted(paths.items(), key=lambda item: item[1])
            files = {name: stack.enter_context(_Growing(path)) for name, path in in_order}
            done = {name: file.trim(source.count) for name, file in files.items()}
            first = min(done.values()) // BATCH
            if min(done.values()) < source.count:
                bar = stack.enter_context(
                    tqdm(
                        desc=source.name,
                        total=source.count,
                        initial=first * BATCH,
                        unit="example",
                        delay=5,
                        disable=None,
                    )
                )
                for number, x in enumerate(source.batches(first), first):
                    for name, rows in compute(x).items():
                        if name in files and done[name] <= number * BATCH:
                            files[name].append(rows, first=number == 0)
                    bar.update(len(x))
            return {name: file.mapped(source.count) for name, file in files.items()}


class Whole(np.memmap):
    """All rows of a file. `beside`: where what is computed of them is kept, see `metrics.kept`; None: of a part."""

    beside: Path | None = None


class OnDisk:
    """Rows of a file that is mapped into memory, but anew at each access: what was once read of an open map counts as
    memory of the process."""

    def __init__(self, mapped: np.memmap):
        assert mapped.filename is not None, "those of the store are of files"
        self.shape, self.dtype, self.ndim = mapped.shape, mapped.dtype, mapped.ndim
        self._path = mapped.filename

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        return np.array(np.memmap(self._path, self.dtype, mode="r", shape=self.shape)[index])


class _Growing:
    """A file of equal rows, locked while it is open, with their type and shape beside it."""

    def __init__(self, path: Path):
        self.path, self.about = path.with_suffix(".rows"), path.with_suffix(".json")

    def __enter__(self):
        self.file = open(self.path, "ab", buffering=0)
        fcntl.flock(self.file, fcntl.LOCK_EX)  # another process may be filling it: then it is full afterwards
        return self

    def __exit__(self, *_):
        self.file.close()

    def trim(self, total: int) -> int:
        """Cuts off what is no whole batch, as a kill in the middle of a write leaves it; returns the number of rows."""
        try:
            dtype, shape = self._format()
            size = dtype.itemsize * int(np.prod(shape))
            rows = os.fstat(self.file.fileno()).st_size // size
        # Nothing there, or not readable: from the start.
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            rows, size = 0, 0
        rows = total if rows >= total else rows // BATCH * BATCH
        self.file.truncate(rows * size)
        return rows

    def append(self, rows: np.ndarray, first: bool) -> None:
        if first:
            write_whole(str(self.about), json.dumps({"dtype": rows.dtype.str, "shape": rows.shape[1:]}))
        data = np.ascontiguousarray(rows).data.cast("B")
        try:
            while data:  # a full disk takes a part first
                data = data[self.file.write(data) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def mapped(self, count: int) -> np.ndarray:
        dtype, shape = self._format()
        rows = np.memmap(self.path, dtype, mode="r", shape=(count, *shape)).view(Whole)
        rows.beside = self.path.with_suffix("")
        return rows

    def _format(self) -> tuple[np.dtype, tuple[int, ...]]:
        about = json.loads(self.about.read_text())
        return np.dtype(about["dtype"]), tuple(about["shape"])


def _key(*parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
