"""Asks a model's functions batch by batch, so that memory does not grow with the data."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from bms_tf.core.examples import Rows
from bms_tf.core.model import Model

SIZE = 500


def in_batches(function: Callable, *arrays: np.ndarray | Rows, size: int = SIZE) -> np.ndarray:
    """What `function` of tensors gives for arrays or rows [N, ...]: float64 [N, ...]."""
    return several_in_batches(lambda *batch: (function(*batch),), *arrays, size=size)[0]


def several_in_batches(function: Callable, *arrays: np.ndarray | Rows, size: int = SIZE) -> list[np.ndarray]:
    """The same of a `function` that gives a tuple."""
    parts = [function(*(tf.constant(array[i : i + size]) for array in arrays)) for i in range(0, len(arrays[0]), size)]
    return [np.concatenate(column).astype(np.float64) for column in zip(*parts)]


def seeds(seed: int, count: int) -> np.ndarray:
    """`count` seeds for the rows of a model's draws, int64: other ones for another `seed`."""
    return seed * 2**32 + np.arange(count, dtype=np.int64)


def required(model: Model, metric: str, *names: str) -> list[Callable]:
    """What a metric needs of a model.

    Args:
        model: of any kind.
        metric: its name, for the message.
        *names: of the functions that it needs.

    Returns:
        The functions.

    Raises:
        ValueError: for a model that lacks one of them.
    """
    functions = [getattr(model, name) for name in names]
    if None in functions:
        missing = names[functions.index(None)]
        raise ValueError(f"{metric} needs a model that has {' and '.join(names)}; this one has no {missing}")
    return functions
