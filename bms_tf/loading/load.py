"""From a path to a model."""

# pyright: basic
import contextlib
import os
import random
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from bms_tf.core import config, files
from bms_tf.core.run_folder import RunFolder
from bms_tf.core.signatures import signatures
from bms_tf.core.system import System
from bms_tf.loading.model import Model, Scores


def load(path: str | os.PathLike[str], *, batch_size: int = 256, allow_import: Sequence[str] = ()) -> Model:
    """Loads a trained model, which `train` or `export` has written.

    Args:
        path: a run folder, a SavedModel (`savedmodels/ring/1`), or the folder of its versions (`savedmodels/ring`). The
            newest state or version is taken.
        batch_size: how many rows go through the networks at once, at most.
        allow_import: modules of your own that the run's gin file may import.

    Raises:
        ValueError: if there is no trained model at `path`.
    """
    path = os.fspath(path)
    if not os.path.isdir(path):
        raise ValueError(f"{path} is no folder; it must be a run folder, or a SavedModel such as savedmodels/NAME/1")
    versions = sorted(filter(str.isdecimal, os.listdir(path)), key=int, reverse=True)
    for folder in (path, *(os.path.join(path, version) for version in versions)):
        if os.path.isfile(os.path.join(folder, "saved_model.pb")):
            return _of_saved_model(folder, batch_size)
    seeds = sorted(name for name in os.listdir(path) if os.path.isfile(os.path.join(path, name, "config.gin")))
    if seeds and not os.path.isfile(os.path.join(path, "config.gin")):
        raise ValueError(f"{path} holds {len(seeds)} runs; give one of them, such as {os.path.join(path, seeds[0])}")
    from bms_tf.core import exporting  # late: a SavedModel needs none of what a run is rebuilt with

    with config.apart(), _random_states_kept():
        return of_run(exporting.restored_run(path, allow_import).system, path, batch_size=batch_size)


def of_run(system: System, path: str, *, batch_size: int = 256) -> Model:
    """The model of a system in its present state, with the scores of that state from its run folder."""
    scores = RunFolder(path).scores_of(int(system.step.numpy()))
    return Model(path, signatures(system), scores=scores, batch_size=batch_size, keep=system)


@contextlib.contextmanager
def _random_states_kept() -> Iterator[None]:
    """Building a run seeds Python and NumPy; a program that loads a model shall not draw the same numbers again."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _of_saved_model(path: str, batch_size: int) -> Model:
    loaded = tf.saved_model.load(path)
    return Model(
        path,
        loaded.signatures,
        scores=_scores(os.path.join(path, "assets.extra", "scores.json")),
        batch_size=batch_size,
        keep=loaded,
    )


def _scores(path: str) -> Scores | None:
    if not os.path.isfile(path):
        return None
    scores = files.read_json(path)
    return {column: scores[column] for column in ("samples", "data")}
