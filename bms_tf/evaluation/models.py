"""Models from where they lie: a SavedModel, of ours or of anyone, or the folder of a run."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from bms_tf.core.model import Model, from_signatures


@dataclass(frozen=True)
class Loaded:
    """A model, what tells it from others, and what a protocol says of it."""

    model: Model
    identity: Mapping
    ema: float | None  # the decay of the moving average of its weights that makes the samples; None: not known, or none


def load(path: str, sampling: str | None = None, allow_import: Sequence[str] = ()) -> Loaded:
    """The model in `path`: a SavedModel, the folder NAME of SavedModels NAME/VERSION, or the folder of a run.

    `sampling`: the signature that makes samples, see `from_signatures`; `allow_import`: of a run's gin file.

    Raises ValueError for a folder that holds no model, or one that cannot be read.
    """
    if os.path.isfile(os.path.join(path, "config.gin")):
        return _of_run(path, sampling, allow_import)
    folder = version_folder(path)
    if folder is None:
        what = "holds no SavedModel and no run" if os.path.isdir(path) else "does not exist"
        raise ValueError(f"{path} {what}")
    return _of_saved_model(folder, sampling)


def version_folder(path: str) -> str | None:
    """`path`, if there is a SavedModel in it, or else its newest version; None if there is none."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return path
    versions = [int(name) for name in os.listdir(path) if name.isdecimal()] if os.path.isdir(path) else []
    found = (os.path.join(path, str(version)) for version in sorted(versions, reverse=True))
    return next((folder for folder in found if os.path.isfile(os.path.join(folder, "saved_model.pb"))), None)


def load_saved_model(folder: str):
    """What TensorFlow loads; its signatures hold no reference to it. Raises ValueError for a damaged one."""
    try:
        return tf.saved_model.load(folder)
    except (OSError, ValueError, IndexError, KeyError, AttributeError, RuntimeError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{folder} is no SavedModel that can be loaded: {reason}") from error


def hash_of_files(folder: str) -> str:
    """SHA-256 of a SavedModel: its graph and its weights, names included."""
    digest = hashlib.sha256()
    for part in ("saved_model.pb", "variables"):
        path = os.path.join(folder, part)
        for file in [path] if part.endswith(".pb") else sorted(os.path.join(path, name) for name in os.listdir(path)):
            digest.update(os.path.relpath(file, folder).encode() + b"\n")
            digest.update(bytes.fromhex(hash_of_file(file)))
    return digest.hexdigest()


def hash_of_file(path: str) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _of_saved_model(folder: str, sampling: str | None) -> Loaded:
    loaded = load_saved_model(folder)
    try:
        model = from_signatures(dict(loaded.signatures), sampling, keep=loaded)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    return Loaded(model, {"model_sha256": hash_of_files(folder), "signature": model.signature}, _ema(folder))


def _ema(folder: str) -> float | None:
    """What an export of ours says of itself."""
    try:
        with open(os.path.join(folder, "assets.extra", "config.gin"), encoding="utf-8") as file:
            found = re.search(r"^\w+\.ema = ([\d.e-]+)$", file.read(), re.MULTILINE)
        return float(found[1]) if found else None
    except OSError:
        return None


def _of_run(run_dir: str, sampling: str | None, allow_import: Sequence[str]) -> Loaded:
    from bms_tf.core import exporting  # which imports what trains
    from bms_tf.core.run_folder import RunFolder
    from bms_tf.core.signatures import signatures

    run = exporting.restored_run(run_dir, allow_import)
    traced = signatures(run.system)
    try:
        model = from_signatures(traced, sampling, keep=run)
    except ValueError as error:
        raise ValueError(f"{run_dir}: {error}") from error
    about = exporting.metadata(run, traced, RunFolder(run_dir))
    identity = {"model_sha256": about["weights_sha256"], "signature": model.signature, "step": about["step"]}
    return Loaded(model, identity, run.system.ema)
