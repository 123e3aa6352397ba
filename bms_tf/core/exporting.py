"""From a run folder to a SavedModel that TensorFlow Serving loads as it is."""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gin
import numpy as np
import tensorflow as tf

import bms_tf
from bms_tf.core import config, errors, files, warm_up
from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.devices import one_device
from bms_tf.core.measuring import Measured
from bms_tf.core.recipe import Recipe
from bms_tf.core.run_folder import RunFolder
from bms_tf.core.signatures import Signatures, describe, signatures
from bms_tf.core.system import System
from bms_tf.core.warm_start import variable_names


def export(run_dir: str, name: str, export_dir: str, allow_import: Sequence[str] = ()) -> str:
    """Writes the run's newest state as the next version of `<export_dir>/<name>/`; returns that path and, in lines
    below it, the signatures.

    Raises ValueError for a bad name and for what `restored_run` refuses, OSError where `export_dir` cannot be written.
    """
    check_name(name)
    run = restored_run(run_dir, allow_import)
    with errors.in_one_line():
        traced = signatures(run.system)
    folder, step = RunFolder(run_dir), int(run.system.step.numpy())
    kept = ["config.gin", "operative.gin", "data.json"] + ["scores.json"] * (folder.scores_of(step) is not None)

    def write(new: str):
        save(run.system, traced, new)
        extra = os.path.join(new, "assets.extra")  # where Serving looks for what is no part of the graph
        os.mkdir(extra)
        with open(os.path.join(extra, "metadata.json"), "w") as file:
            json.dump({"name": name, **metadata(run, traced, folder)}, file, indent=1)
        warm_up.write(name, traced, os.path.join(extra, "tf_serving_warmup_requests"))
        for file in filter(os.path.exists, map(folder.file, kept)):
            shutil.copy(file, extra)

    return f"{publish(write, name, export_dir)}\n{describe(traced)}"


def check_name(name: str):
    """Raises ValueError for a name that cannot be a model's."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ValueError(f"the name is {name!r}; it may hold only letters, digits, _ and -")


def restored_run(run_dir: str, allow_import: Sequence[str] = ()) -> Measured:
    """The run in `run_dir` in its newest readable state, on one device, in float32, and not to be trained.

    Raises ValueError if there is no run in `run_dir`, or none of its checkpoints can be read.
    """
    folder = RunFolder(run_dir)
    if folder.settings() is None:
        there = os.path.isdir(run_dir)
        what = "is not the folder of a run: there is no config.gin in it" if there else "does not exist"
        raise ValueError(f"{run_dir} {what}; give a run folder, such as runs/ring")
    config.load([folder.file("config.gin")], allow_import=allow_import)
    with errors.in_one_line():
        recipe = Recipe(devices=one_device, precision="float32", accumulate=1)
        run = Measured(recipe, recipe.build())
        if not Checkpoints(run.system, folder.checkpoints).restore():
            raise ValueError(f"the run in {run_dir} has no checkpoint yet")
    return run


def weights(system: System, traced: Signatures) -> list[tf.Variable]:
    """The variables of `system` that its signatures read: where there is an EMA, the averages and not the generator."""
    read = {id(variable) for function in traced.values() for variable in function.graph.variables}  # in no fixed order
    return [variable for variable in system.variables if id(variable) in read]


def save(system: System, traced: Signatures, folder: str):
    """Writes the SavedModel. It holds the signatures and their weights by name, and nothing of Keras."""
    names = {id(variable): name for name, variable in variable_names(system).items()}
    averaged = zip(system.averages, system.generator.trainable_variables)  # which stand for the weights
    names |= {id(average): names[id(weight)] for average, weight in averaged}
    model = tf.Module()
    read = enumerate(weights(system, traced))
    model.weights = {names.get(id(variable), f"other/{i}"): variable for i, variable in read}
    logger = tf.get_logger()
    level = logger.level
    try:
        logger.setLevel(max(level, logging.WARNING))  # in a notebook TensorFlow prints its scratch folder
        tf.saved_model.save(model, folder, signatures=dict(traced))
    except tf.errors.ResourceExhaustedError as error:  # TensorFlow's word for a full disk
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder) from error
    finally:
        logger.setLevel(level)


def metadata(run: Measured, traced: Signatures, folder: RunFolder) -> dict[str, str | int | list | None]:
    """Where the model comes from: the state `run` of the run in `folder`."""
    step = int(run.system.step.numpy())
    values = b"".join(variable.numpy().tobytes() for variable in weights(run.system, traced))
    return {
        "step": step,
        "generator_updates": folder.generator_updates(step),
        "seed": run.recipe.seed,
        "system": type(run.system).__name__,
        "code_sha256": code_hash(Path(bms_tf.__file__).parent),
        "weights_sha256": hashlib.sha256(values).hexdigest(),
        "bms_tf": bms_tf.__version__,
        "git_commit": _commit(),
        "tensorflow": tf.__version__,
        **_modes(run),
    }


def _modes(run: Measured) -> dict[str, list]:
    """The true modes of points of the plane, for pictures of the model, where a metric has their centers."""
    bound = [gin.get_bindings(metric.__name__).get("centers") for metric in run.recipe.metrics]
    centers = [np.asarray(found).tolist() for found in bound if found is not None]
    return {"modes": centers[0]} if centers and run.system.data_shape == (2,) else {}


def publish(write: Callable[[str], None], name: str, export_dir: str) -> str:
    """Makes `<export_dir>/<name>/<version>/` of what `write(folder)` writes, and returns it.

    The version appears complete and on the disk, or not at all. It has the next free number, also where others publish
    at the same time.
    """
    os.makedirs(export_dir, exist_ok=True)
    with _scratch(export_dir) as scratch:
        folder = os.path.join(scratch, name)  # not the scratch folder itself, which only its owner may read
        os.mkdir(folder)
        write(folder)
        for path, _, names in os.walk(folder):
            for file in ("", *names):
                files.sync(os.path.join(path, file))
        versions = os.path.join(export_dir, name)
        os.makedirs(versions, exist_ok=True)
        while True:
            taken = [int(version) for version in os.listdir(versions) if version.isdecimal()]
            target = os.path.join(versions, str(max(taken, default=0) + 1))
            try:
                os.rename(folder, target)
                return target
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # else another one took the number just now
                    raise


@contextlib.contextmanager
def _scratch(export_dir: str) -> Iterator[str]:
    """A folder in `export_dir`, for the time of the block. What killed exports on this machine left is removed."""
    prefix = f".tmp-{socket.gethostname()}-"  # some network disks hold a lock within one machine alone
    with contextlib.ExitStack() as stack:
        with _locked(export_dir) as alone:  # nobody sees a new folder that is not locked yet
            for path in glob.glob(os.path.join(glob.escape(export_dir), f"{prefix}*")) if alone else ():
                with _locked(path, fcntl.LOCK_NB) as dead:
                    if dead:
                        shutil.rmtree(path, ignore_errors=True)
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=export_dir))
            stack.enter_context(_locked(scratch))
        yield scratch


@contextlib.contextmanager
def _locked(folder: str, how: int = 0) -> Iterator[bool]:
    """Holds the folder's lock, which goes with the process; gives False where it cannot be had."""
    with contextlib.ExitStack() as stack:
        try:
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | how)
        except OSError:  # locked, gone, or on a disk without locks
            yield False
        else:
            yield True


def code_hash(package: Path) -> str:
    """The hash of every source file of a package, names included."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _commit() -> str | None:
    """The commit of the clone that this code runs from, `-dirty` behind it where files differ; None if installed."""
    clone = os.path.dirname(os.path.dirname(bms_tf.__file__))
    if not os.path.exists(os.path.join(clone, ".git")) or not shutil.which("git"):
        return None
    command = ["git", "-C", clone, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None
