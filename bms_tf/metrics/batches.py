"""Asks a model's functions batch by batch, so that memory does not grow with the data."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from bms_tf.core.examples import Rows
from bms_tf.core.model import Model

SIZE = 500


def in_batches(function: Callable, *arrays: np.ndarray | Rows, size: int = SIZE) -> np.ndarray | tuple[np.ndarray, ...]:
    """What `function` of tensors gives for arrays or rows [N, ...]: float64 [N, ...], or a tuple of those."""
    parts = []
    for i in range(0, len(arrays[0]), size):
        answer = function(*(tf.constant(array[i : i + size]) for array in arrays))
        parts.append(answer if isinstance(answer, tuple) else (answer,))
    whole = tuple(np.concatenate(column).astype(np.float64) for column in zip(*parts))
    return whole[0] if len(whole) == 1 else whole


def seeds(seed: int, count: int) -> np.ndarray:
    """`count` seeds for the rows of a model's draws, int64: other ones for another `seed`."""
    return seed * 2**32 + np.arange(count, dtype=np.int64)


def required(model: Model, metric: str, *names: str) -> None:
    """Checks what a metric needs of a model.

    Args:
        model: of any kind.
        metric: its name, for the message.
        *names: of the functions that it needs.

    Raises:
        ValueError: for a model that lacks one of them.
    """
    missing = [name for name in names if getattr(model, name) is None]
    if missing:
        raise ValueError(f"{metric} needs a model that has {' and '.join(names)}; this one has no {missing[0]}")
