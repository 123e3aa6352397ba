"""Examples in little memory. Pictures are bytes, as in files, so that they score as a folder of them does."""

from collections.abc import Iterable, Sequence

import numpy as np

PART = 100  # pictures that are read at a time


def is_picture(shape: Sequence[int]) -> bool:
    """Whether examples of `shape` are pictures: [H, W, C] of 1 or 3 channels."""
    return len(shape) == 3 and shape[-1] in (1, 3)


def as_bytes(x: np.ndarray) -> np.ndarray:
    """Pixels of [-1, 1] as 0 .. 255; what lies outside is cut off."""
    return np.rint(127.5 * (np.clip(x, -1, 1) + 1)).astype(np.uint8)


def as_floats(stored: np.ndarray) -> np.ndarray:
    """Bytes as float32 in [-1, 1]; anything else unchanged."""
    return stored.astype(np.float32) / 127.5 - 1 if stored.dtype == np.uint8 else stored


class Rows:
    """Examples [N, ...] of which slices and indices give float32 arrays; `np.asarray` takes all into memory."""

    def __init__(self, stored: np.ndarray, finite: np.ndarray | None = None, places: np.ndarray | None = None):
        """Takes some of the examples that are stored.

        Args:
            stored: pictures as bytes, or float32, on the disk or in memory.
            finite: bool [N]. The others are NaN, for which bytes have no value.
            places: which of those stored these are, in this order. None takes all.
        """
        self._stored, self._finite, self._places = stored, finite, places
        count = len(stored) if places is None else len(places)
        self.shape, self.dtype, self.ndim = (count, *stored.shape[1:]), np.dtype(np.float32), stored.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        at = index if self._places is None else self._places[index]
        x = as_floats(np.asarray(self._stored[at]))
        if self._finite is not None:
            x[~self._finite[at]] = np.nan
        return x

    @property
    def places(self) -> np.ndarray:
        """The place of each of them among those that are stored, int64 [N]."""
        return np.arange(len(self)) if self._places is None else self._places

    def taken(self, index: np.ndarray) -> "Rows":
        """Those at a slice, indices or a mask. Nothing is read yet."""
        return Rows(self._stored, self._finite, self.places[index])

    def compact(self) -> np.ndarray:
        """All of them in the least memory: pictures as bytes, unless one is not finite."""
        places = self.places
        if self._finite is not None and not self._finite[places].all():
            return self[:]
        compact = np.empty(self.shape, self._stored.dtype)
        for i in range(0, len(self), PART):  # what is on the disk is in memory twice while it is read
            compact[i : i + PART] = self._stored[places[i : i + PART]]
        return compact

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)


def rows_of(examples: np.ndarray | Rows) -> Rows:
    """An array as `Rows`, which have its numbers as float32."""
    return examples if isinstance(examples, Rows) else Rows(np.asarray(examples, np.float32))


def gathered(batches: Iterable[np.ndarray]) -> np.ndarray | Rows:
    """All of the batches, float32 [B, ...]: an array of points, or `Rows` of pictures."""
    kept, finite = [], []
    for x in batches:
        if is_picture(x.shape[1:]):
            finite.append(np.isfinite(x).all(axis=(1, 2, 3)))
            x = as_bytes(np.nan_to_num(x))
        kept.append(x)
    if not finite:
        return np.concatenate(kept)
    all_finite = np.concatenate(finite)
    return Rows(np.concatenate(kept), None if all_finite.all() else all_finite)
