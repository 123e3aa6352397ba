"""The real data of an evaluation: what is compared with, what gives the floor, and what was trained on."""

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import gin
import numpy as np

from bms_tf.core import errors
from bms_tf.core.recipe import Recipe
from bms_tf.evaluation import sources
from bms_tf.evaluation.sources import Source

SETTINGS = ("data", "floor_split", "samples", "metrics", "features")  # what a data file says of these in `train`


@dataclass(frozen=True)
class Data:
    """`reference` is compared with. `floor` is as much other real data as there are samples; None where there is no
    other, so that the halves of the reference are compared. `training()`: what models of it were trained on.
    """

    name: str
    split: str | None
    reference: Source
    floor: Callable[[int], Source] | None
    training: Callable[[], Source] | None
    floor_is_training: bool = False


def settings() -> dict[str, Any]:
    """What the gin files that were read say of the data, of how many samples, and of what is measured, by name."""
    bound = gin.get_bindings(Recipe, resolve_references=False)
    return {name: copy.deepcopy(bound[name]) for name in SETTINGS if name in bound}  # looks up what it refers to


def is_gin_file(data: Any) -> TypeGuard[str]:
    return isinstance(data, str) and data.endswith(".gin")


def of_files(
    data: str | np.ndarray,
    *,
    floor: str | np.ndarray | None,
    training: str | np.ndarray | None,
    n: int | None,
    seed: int,
) -> Data:
    """The examples of a folder or an .npz, or in memory; `floor` and `training` as `data`."""

    def other(place: str | np.ndarray | None) -> Callable | None:
        return None if place is None else lambda count=None: of_place(place, count=count, seed=seed)

    name = data if isinstance(data, str) else "array"
    return Data(name, None, of_place(data, count=n, seed=seed), other(floor), other(training))


def of_pipeline(given: Mapping[str, Any], name: str, *, split: str, n: int | None, seed: int) -> Data:
    """The splits of the pipeline of a gin file: `split` is compared with, `train.floor_split` gives the floor."""
    if "data" not in given:
        raise ValueError(f"{name} names no data: it must set train.data")
    data, real = given["data"], given.get("floor_split", "validation")
    with errors.in_one_line():
        reference = sources.of_pipeline(data, split, count=n, seed=seed)
    if n is not None and reference.count < n:
        raise ValueError(f"{reference.name} has {reference.count} examples; {n} are asked for")
    return Data(
        name,
        split,
        reference,
        lambda count: sources.of_pipeline(data, real, count=count, seed=seed),
        lambda: sources.of_pipeline(data, "train_once", seed=seed),
        floor_is_training=real == "train_once",
    )


def of_place(place: str | np.ndarray, *, count: int | None, seed: int) -> Source:
    """The examples of a folder, an .npz or an array. Raises ValueError for what is none of them."""
    if isinstance(place, np.ndarray):
        return sources.of_array(place, "array", count=count, seed=seed)
    if os.path.isdir(place):
        return sources.of_folder(place, count=count, seed=seed)
    if not os.path.isfile(place):
        raise ValueError(f"{place} does not exist")
    if not place.endswith(".npz"):
        raise ValueError(f"{place} is no folder of pictures, .npz or gin file")
    return sources.of_npz(place, count=count, seed=seed)
