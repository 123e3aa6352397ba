"""What every tracker does, whichever it is: when it is told what, and how a resumed run goes on in the same record."""

import glob
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from tqdm import tqdm

from bms_tf.core import files
from bms_tf.core.callbacks import step_of
from bms_tf.core.keras import keras

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"  # how a training ended; stopped: by a signal, to be resumed


class Tracker(keras.callbacks.Callback, ABC):
    """A context around a training. Its callback comes after those that add scores to the logs and draw pictures.

    `<run_dir>/<name>.json` holds the record's id and the last step that was sent, so that a resumed run, which repeats
    what lies behind its checkpoint to the bit, sends nothing twice. Where no record can be opened the training does
    not begin (OSError); later, what cannot be sent is a warning, and waits for the next line. A line that the tracker
    refuses is left out.
    """

    name: str  # of the file
    errors: type[Exception]  # what the tracker's package raises, beside OSError

    def __init__(self, run_dir: str, settings: Mapping[str, str]):
        """`settings`: every parameter of the run, by name."""
        super().__init__()
        self.run_dir, self.settings = run_dir, settings
        self.waiting: list[tuple[int, Mapping[str, float], Mapping[str, str]]] = []
        self.refusals: set[str] = set()

    @abstractmethod
    def begin(self, record: str | None) -> str:
        """Opens the record of this id, or a new one, with the settings; returns its id."""

    @abstractmethod
    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, str]) -> None:
        """Adds a line: finite values by name, and the paths of pictures by name."""

    @abstractmethod
    def end(self, outcome: str) -> None:
        """Closes the record; of a training that has FINISHED, with the run folder as an artifact."""

    def refuses(self, error: Exception) -> bool:
        """Whether the error is of what was sent, so that it would come again with each try."""
        return False

    def __enter__(self) -> "Tracker":
        self.state = os.path.join(self.run_dir, f"{self.name}.json")
        kept = {"record": None, "step": -1}
        if os.path.exists(self.state):
            kept = files.read_json(self.state)
            if not isinstance(kept.get("record"), str) or not isinstance(kept.get("step"), int):
                raise ValueError(f"{self.state} is damaged (it has no record and step); delete it for a new record")
        self.sent = kept["step"]
        try:
            self.record = self.begin(kept["record"])
        except self.errors as error:
            raise OSError(f"{self.name} cannot open a record: {_first_line(error)}") from error
        self._keep()
        return self

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        if step > self.sent:
            found = glob.glob(os.path.join(glob.escape(self.run_dir), "pictures", f"*_{step:07d}.png"))
            pictures = {os.path.basename(path).removesuffix(f"_{step:07d}.png"): path for path in sorted(found)}
            values = {name: float(value) for name, value in (logs or {}).items() if math.isfinite(value)}
            self.waiting.append((step, values, pictures))
            self._send_waiting()

    def __exit__(self, kind, error, trace):
        outcome = FINISHED if kind is None else STOPPED if issubclass(kind, (SystemExit, KeyboardInterrupt)) else FAILED
        self._send_waiting()
        self._is_over(self.end, outcome)

    def _send_waiting(self):
        while self.waiting and self._is_over(self.send, *self.waiting[0]):
            self.sent, *_ = self.waiting.pop(0)
            self._keep()

    def _keep(self):
        files.write_whole(self.state, json.dumps({"record": self.record, "step": self.sent}) + "\n")

    def _is_over(self, call: Callable, *args) -> bool:
        """Calls; False, with a warning, where a later try may do better."""
        try:
            call(*args)
        except (self.errors, OSError) as error:
            reason = _first_line(error)
            if not self.refuses(error):
                tqdm.write(f"cannot send to {self.name}; the training goes on: {reason}")
                return False
            if reason not in self.refusals:  # each line may be refused for the same
                tqdm.write(f"{self.name} refuses a line, which is left out: {reason}")
                self.refusals.add(reason)
        return True


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
