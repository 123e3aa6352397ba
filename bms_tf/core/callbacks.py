"""What happens at the boundary of a log interval, which is a Keras epoch; in the order of this file."""

import json
import os
import time
from collections.abc import Callable

import tensorflow as tf
from tqdm import tqdm

from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.keras import keras
from bms_tf.core.system import System


def step_of(model: System) -> int:
    return int(model.step.numpy())


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
        what = None
        if self.model.bad_term is not None:
            what = "the loss {} is not finite at step {}".format(*self.model.bad_term)
        for player in self.model.players:  # the last update can spoil the weights behind a finite loss
            if not all(tf.reduce_all(tf.math.is_finite(v)) for v in self.model.trainable(player)):
                what = what or f"the weights of {player} are not finite at step {step_of(self.model)}"
        if what is not None:
            raise ValueError(f"{what}; the last good checkpoint: {self.checkpoints.newest or 'none'}")


class Evaluate(keras.callbacks.Callback):
    """Adds the scores of `evaluate()` to the logs, every `every` steps and at step `last`."""

    def __init__(self, evaluate: Callable[[], dict[str, float]], *, every: int, last: int):
        super().__init__()
        self.evaluate, self.every, self.last = evaluate, every, last

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        if step % self.every == 0 or step == self.last:
            scores = self.evaluate()
            logs.update(scores)
            if scores:
                tqdm.write(f"step {step}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


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
        values = {name: float(value) for name, value in logs.items()}
        row = {"step": step, "generator_updates": step * self.model.generator_updates, **values}
        row["seconds"] = round(time.monotonic() - self.begun, 3)
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")
        with self.events.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.events.flush()


def read_complete_lines(path: str) -> list[str]:
    """The lines of a JSON lines file but for a last one that a crash cut off; none if there is no file."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line for line in file if line.endswith("\n")]


class Draw(keras.callbacks.Callback):
    """Writes each of `figures()` as a PNG and into the TensorBoard events, every `every` steps and at step `last`."""

    def __init__(self, figures: Callable[[], dict], folder: str, record: Record, *, every: int, last: int):
        super().__init__()
        self.figures, self.folder, self.record, self.every, self.last = figures, folder, record, every, last

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        if step % self.every and step != self.last:
            return
        os.makedirs(self.folder, exist_ok=True)
        for name, figure in self.figures().items():
            path = os.path.join(self.folder, f"{name}_{step:07d}.png")
            figure.savefig(path)
            with self.record.events.as_default(step=step):
                tf.summary.image(name, tf.io.decode_png(tf.io.read_file(path), channels=3)[None])


class Save(keras.callbacks.Callback):
    """Writes a checkpoint every `every` steps and at step `last`: after the lines of the log, so that none is lost."""

    def __init__(self, checkpoints: Checkpoints, *, every: int, last: int):
        super().__init__()
        self.checkpoints, self.every, self.last = checkpoints, every, last

    def on_epoch_end(self, epoch, logs=None):
        step = step_of(self.model)
        if step % self.every == 0 or step == self.last:
            self.checkpoints.save()
