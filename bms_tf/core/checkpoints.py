"""Checkpoints from which a run resumes exactly."""

import glob
import os
from collections.abc import Callable

import tensorflow as tf

from bms_tf.core.system import System


class Checkpoints:
    """The last few states of a system in `folder`: networks, optimizers, averages, singular vectors and step.

    TensorFlow writes the data under a temporary name and the index last, so that a crash while writing leaves the
    checkpoint before it in place.
    """

    def __init__(self, system: System, folder: str, *, keep: int = 3):
        self.system = system
        self.folder = folder
        self._checkpoint = tf.train.Checkpoint(model=system)
        self._manager = tf.train.CheckpointManager(self._checkpoint, folder, max_to_keep=keep)

    @property
    def newest(self) -> str | None:
        """The path of the newest checkpoint."""
        return next(iter(self._found()), None)

    def save(self) -> int:
        """Writes the present state; returns its step."""
        step = int(self.system.step.numpy())
        self._manager.save(checkpoint_number=step)
        return step

    def restore(self, report: Callable[[str], None] = print) -> int:
        """Takes the newest state that can be read and returns its step, 0 if there is none.

        Says through `report` which newer ones were damaged. Raises ValueError if all are.
        """
        found = self._found()
        for path in found:
            try:
                self._checkpoint.restore(path).assert_existing_objects_matched()
                return int(self.system.step.numpy())
            # TensorFlow's IndexError is "Read less bytes than requested", of a data file that was cut off.
            except (tf.errors.OpError, AssertionError, IndexError, ValueError) as error:
                line = str(error).strip().splitlines()[0]
                report(f"checkpoint {path} is damaged ({line}); falling back to the one before")
        if found:
            raise ValueError(
                f"none of the {len(found)} checkpoints in {self.folder} can be read; delete it to start anew"
            )
        return 0

    def _found(self) -> list[str]:
        """The paths of all checkpoints, the newest first."""
        indices = glob.glob(os.path.join(glob.escape(self.folder), "ckpt-*.index"))
        paths = [index.removesuffix(".index") for index in indices]
        return sorted(paths, key=lambda path: int(path.rsplit("-", 1)[1]), reverse=True)
