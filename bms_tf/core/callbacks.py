"""What happens at the boundary of a log interval, which is a Keras epoch; in the order of this file."""

import glob
import json
import math
import os
import shutil
import signal
import time
from collections.abc import Callable

import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.devices import any_worker, over_workers, several_workers
from bms_tf.core.keras import keras
from bms_tf.core.system import System


def step_of(model: System) -> int:
    return int(model.step.numpy())


def without_nan(scores: dict[str, float]) -> dict[str, float | None]:
    """Scores as JSON can hold them: None where a value is not finite."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}


class _Every(keras.callbacks.Callback):
    """Calls `act(step, logs)` every `every` steps and at step `last`.

    It is left out where it has taken more than `share` of the time so far, but for the first and the last.
    """

    def __init__(self, *, every: int, last: int, share: float = 1.0):
        super().__init__()
        self.every, self.last, self.share = every, last, share

    def on_train_begin(self, logs=None):
        self.begun, self.spent = time.monotonic(), 0.0

    def on_epoch_end(self, epoch, logs=None):
        step, now = step_of(self.model), time.monotonic()
        if step != self.last and (step % self.every or any_worker(self.spent > self.share * (now - self.begun))):
            return
        self.act(step, logs)
        self.spent += time.monotonic() - now


class ProgressBar(keras.callbacks.Callback):
    """One bar over the whole run, with each player's loss and the time left."""

    _supports_tf_logs = True  # no host round trip for steps that are not shown

    def __init__(self, total: int):
        super().__init__()
        self.total = total
        self.bar = None

    def on_train_begin(self, logs=None):
        self.bar = tqdm(total=self.total, initial=step_of(self.model), unit="step", dynamic_ncols=True)
        self.shown = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.shown > 0.5:
            self.shown = time.monotonic()
            players = dict.fromkeys(term.split("/")[0] for term in logs)
            sums = {p: sum(float(v) for term, v in logs.items() if term.split("/")[0] == p) for p in players}
            self.bar.set_postfix({p: f"{value:.3g}" for p, value in sums.items()}, refresh=False)
            self._move()

    def on_epoch_end(self, epoch, logs=None):
        self._move()

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Ends the bar's line. Not only at the end: what stops a training is said on a line of its own."""
        if self.bar is not None:
            self._move()
            self.bar.close()

    def _move(self):
        self.bar.update(step_of(self.model) - self.bar.n)


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises ValueError, naming player, term and step, before anything of the bad state is kept."""

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self.checkpoints = checkpoints

    def on_epoch_end(self, epoch, logs=None):
        self.check()

    def check(self):
        what = None
        if self.model.bad_term is not None:
            what = "the loss {} is not finite at step {}".format(*self.model.bad_term)
        for player in self.model.players:  # the last update can spoil the weights behind a finite loss
            if not all(tf.reduce_all(tf.math.is_finite(v)) for v in self.model.trainable(player)):
                what = what or f"the weights of {player} are not finite at step {step_of(self.model)}"
        if what is not None:
            raise ValueError(f"{what}; the last good checkpoint: {self.checkpoints.newest or 'none'}")


class Estimate(keras.callbacks.Callback):
    """Says, after the first interval, how long the run will take and how much disk its checkpoints need."""

    def __init__(self, checkpoints: Checkpoints, *, total: int):
        super().__init__()
        self.checkpoints, self.total = checkpoints, total
        self.begun = None
        self.said = False

    def on_train_batch_end(self, batch, logs=None):
        if self.begun is None:  # not before: the first call of the step traces it
            self.begun = step_of(self.model), time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        step, (first, begun) = step_of(self.model), self.begun
        if self.said or step == first or step == self.total:
            return
        self.said = True
        more = self.total - step
        time_left = tqdm.format_interval(more * (time.monotonic() - begun) / (step - first))
        needed, free = (
            tqdm.format_sizeof(size, "B")
            for size in (self.checkpoints.size, shutil.disk_usage(os.path.dirname(self.checkpoints.folder)).free)
        )
        tqdm.write(
            f"{more} more steps in about {time_left}, without scores and pictures; "
            f"checkpoints up to {needed} of {free} free"
        )


class Evaluate(_Every):
    """Adds the scores of `evaluate()` to the logs; `scores` are the last ones."""

    def __init__(self, evaluate: Callable[[], dict[str, float]], *, every: int, last: int, share: float = 1.0):
        super().__init__(every=every, last=last, share=share)
        self.evaluate = evaluate

    def act(self, step: int, logs: dict[str, float]):
        self.scores = self.evaluate()
        logs.update(self.scores)
        if self.scores:
            tqdm.write(f"step {step}: " + ", ".join(f"{name} {value:.4g}" for name, value in self.scores.items()))


class Record(keras.callbacks.Callback):
    """Appends the logs to `metrics.jsonl` and to the TensorBoard events in `folder`.

    Where a run resumes, lines behind its step are dropped: they are about to be written again.
    """

    def __init__(self, folder: str):
        super().__init__()
        self.path = os.path.join(folder, "metrics.jsonl")
        self.events = tf.summary.create_file_writer(os.path.join(folder, "tensorboard"))

    def on_train_begin(self, logs=None):
        step = step_of(self.model)
        kept = [line for line in read_complete_lines(self.path) if json.loads(line)["step"] <= step]
        with open(self.path + ".new", "w") as file:
            file.writelines(kept)
        os.replace(self.path + ".new", self.path)
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        row = {"step": step, "generator_updates": step * self.model.generator_updates, **without_nan(logs)}
        row["seconds"] = round(time.monotonic() - self.begun, 3)
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")
        with self.events.as_default(step=step):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
        self.events.flush()


def read_complete_lines(path: str) -> list[str]:
    """The lines of a JSON lines file but for a last one that a crash cut off; none if there is no file."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line for line in file if line.endswith("\n")]


class Draw(_Every):
    """Writes each of `figures()` as a PNG and into the TensorBoard events; at the end, all of one name as a GIF."""

    FRAMES = 200  # of a GIF, at most, for its size

    def __init__(
        self,
        figures: Callable[[], dict],
        folder: str,
        record: Record,
        *,
        every: int,
        last: int,
        share: float = 1.0,
    ):
        super().__init__(every=every, last=last, share=share)
        self.figures, self.folder, self.record = figures, folder, record

    def act(self, step: int, logs: dict[str, float]):
        os.makedirs(self.folder, exist_ok=True)
        for name, figure in self.figures().items():
            path = os.path.join(self.folder, f"{name}_{step:07d}.png")
            figure.savefig(path)
            with self.record.events.as_default(step=step):
                tf.summary.image(name, tf.io.decode_png(tf.io.read_file(path), channels=3)[None])
            if step == self.last:
                self._animate(name)

    def _animate(self, name: str):
        paths = sorted(glob.glob(os.path.join(glob.escape(self.folder), f"{name}_{'[0-9]' * 7}.png")))
        first, *others = [Image.open(path) for path in paths[:: -(-len(paths) // self.FRAMES)]]
        path = os.path.join(self.folder, f"{name}.gif")
        first.save(path, save_all=True, append_images=others, duration=200, loop=0)


class Save(_Every):
    """Writes a checkpoint: after the lines of the log, so that none is lost."""

    def __init__(self, checkpoints: Checkpoints, *, every: int, last: int):
        super().__init__(every=every, last=last)
        self.checkpoints = checkpoints

    def act(self, step: int, logs: dict[str, float]):
        self.checkpoints.save()


class StopOnSignal(keras.callbacks.Callback):
    """On SIGTERM (clusters pre-empt) and SIGINT, saves at the next step and ends the process with 128 + the signal.

    Several workers stop together: they ask each other about once a second. A second signal acts as it does without us.
    """

    def __init__(self, checkpoints: Checkpoints, non_finite: StopOnNonFinite):
        super().__init__()
        self.checkpoints, self.non_finite = checkpoints, non_finite
        self.received = None
        self.handlers = {}
        self.every = 1  # steps between two questions to the other workers; the same on all of them

    def on_train_begin(self, logs=None):
        self.handlers = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = step_of(self.model), time.monotonic()
        self.due = self.every

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1
        if done == self.params["steps"]:  # left to the interval's end, where its line is written
            return
        if several_workers():
            if done < self.due:
                return
            self.due = done + self.every
        if any_worker(self.received is not None):
            self._stop()

    def on_epoch_end(self, epoch, logs=None):
        if any_worker(self.received is not None):
            self._stop()
        if several_workers():
            first, begun = self.begun
            a_second = (step_of(self.model) - first) / (time.monotonic() - begun)
            self.every = max(1, round(over_workers(a_second) / over_workers(1)))

    def close(self):
        """Gives the signals back."""
        while self.handlers:
            signal.signal(*self.handlers.popitem())

    def _note(self, number, frame):
        self.received = number
        self.close()

    def _stop(self):
        self.non_finite.check()
        step = self.checkpoints.save()
        number = self.received or signal.SIGTERM  # the signal went to another worker
        tqdm.write(f"stopped by {signal.Signals(number).name} at step {step}; the same command resumes there")
        raise SystemExit(128 + number)
