"""Checkpoints from which a run resumes exactly."""

import contextlib
import glob
import os
import re
import shutil
from collections.abc import Callable

import tensorflow as tf

from bms_tf.core.devices import LOST_WORKER
from bms_tf.core.files import sync
from bms_tf.core.system import System


class Checkpoints:
    """The last few states of a system in `folder`: networks, optimizers, averages, singular vectors and step.

    TensorFlow writes the data under a temporary name and the index last. So a crash leaves the checkpoint before in
    place, and the next `save` deletes what else it left. The files themselves count: there is no list of checkpoints
    that could be damaged or out of date.
    """

    def __init__(self, system: System, folder: str, *, keep: int = 3):
        if set("[\\") & set(folder):
            raise ValueError(f"{folder}: TensorFlow finds no checkpoint in a path with [ or \\; take another folder")
        self.system, self.folder, self.keep = system, folder, keep
        self._checkpoint = tf.train.Checkpoint(model=system)

    def move_to(self, folder: str):
        """From now on, looks and writes in `folder`."""
        self.folder = folder

    @property
    def newest(self) -> str | None:
        """The path of the newest checkpoint."""
        return next(iter(self._found()), None)

    @property
    def size(self) -> int:
        """The most bytes that all checkpoints take: those that are kept, and one that is being written."""
        variables = [v for v in tf.train.TrackableView(self._checkpoint).descendants() if isinstance(v, tf.Variable)]
        return (self.keep + 1) * sum(v.shape.num_elements() * v.dtype.size for v in variables)

    def save(self) -> int:
        """Writes the present state and returns its step. Raises OSError where it cannot, and keeps those before."""
        step = int(self.system.step.numpy())
        path = os.path.join(self.folder, f"ckpt-{step}")
        index = f"{path}.index"
        known = os.path.exists(index)
        try:
            os.makedirs(self.folder, exist_ok=True)
            self._delete_leftovers()
            self._checkpoint.write(path)
            for file in _files(path):
                sync(file)
            sync(self.folder)
        except LOST_WORKER:  # a sum over workers is a part of the state
            raise
        except (tf.errors.OpError, OSError) as error:
            with contextlib.suppress(OSError):
                if os.path.exists(index) and not known:  # a full disk cuts it off where it likes
                    os.remove(index)
                self._delete_leftovers()
            last = f"the last good one: {self.newest or 'none'}"
            raise OSError(f"the checkpoint of step {step} cannot be written ({_reason(error)}); {last}") from error
        found = self._found()
        kept = found[found.index(path) :][: self.keep]  # newer ones are damaged: this run came back to before them
        for old in set(found) - set(kept):
            for file in _files(old):
                os.remove(file)
        return step

    def _delete_leftovers(self):
        """Deletes what an interrupted `save` has left: temporary folders, and data without an index."""
        folder = glob.escape(self.folder)
        for path in glob.glob(os.path.join(folder, "ckpt-*_temp")):
            shutil.rmtree(path)
        for path in glob.glob(os.path.join(folder, "ckpt-*.data-*")):
            if not os.path.exists(path.rsplit(".", 1)[0] + ".index"):
                os.remove(path)

    def restore(self, report: Callable[[str], None] = print) -> int:
        """Takes the newest state that can be read and returns its step, 0 if there is none.

        Says through `report` which newer ones were damaged. Raises ValueError if all are.
        """
        found = self._found()
        for path in found:
            try:
                # Partial: an export takes the networks alone, without their optimizers.
                self._checkpoint.read(path).assert_existing_objects_matched().expect_partial()
                return int(self.system.step.numpy())
            # TensorFlow's IndexError is "Read less bytes than requested", of a data file that was cut off.
            except (tf.errors.OpError, AssertionError, IndexError, ValueError) as error:
                report(f"checkpoint {path} is damaged ({_reason(error)}); falling back to the one before")
        if self._found() != found:  # a training that goes on has deleted old ones
            return self.restore(report)
        if found:
            raise ValueError(
                f"none of the {len(found)} checkpoints in {self.folder} can be read; delete it to start anew"
            )
        return 0

    def _found(self) -> list[str]:
        """The paths of all checkpoints, the newest first."""
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else ()
        steps = [int(found[1]) for name in names if (found := re.fullmatch(r"ckpt-([0-9]+)\.index", name))]
        return [os.path.join(self.folder, f"ckpt-{step}") for step in sorted(steps, reverse=True)]


def _files(checkpoint: str) -> list[str]:
    return glob.glob(f"{glob.escape(checkpoint)}.*")


def _reason(error: Exception) -> str:
    """The first line of TensorFlow's message, without the names of operations."""
    return re.sub(r"\{\{.*?\}\} *| *\[Op:.*?\]", "", str(error).strip().splitlines()[0])
