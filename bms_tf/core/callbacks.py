"""What happens at the end of a log interval, which is a Keras epoch, in the order of this file."""

import dataclasses
import glob
import json
import math
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import tensorflow as tf
from tqdm import tqdm

from bms_tf.core import config, files, picture_file
from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.devices import any_worker, leave_last, over_workers, several_workers
from bms_tf.core.keras import TensorLogs, keras
from bms_tf.core.run_folder import RunFolder
from bms_tf.core.system import System


def step_of(model: System) -> int:
    return int(model.step.numpy())


@dataclasses.dataclass(frozen=True)
class Timing:
    """The steps at which a log interval ends: every `log_every`-th, and the `last`."""

    log_every: int
    last: int

    def due(self, step: int, every: int) -> bool:
        """Whether what is done every `every` steps fell due in the interval that ends at `step`. At the end, it did."""
        begin = (step - 1) // self.log_every * self.log_every
        return step == self.last or step // every > begin // every


class _Every(keras.callbacks.Callback):
    """Calls `act(step, logs)` at the end of a log interval in which it fell due, and at the last step.

    Where the calls so far have taken more than `share` of the time, all but the first and the last are left out.
    """

    def __init__(self, *, timing: Timing, every: int, share: float = 1.0):
        super().__init__()
        self.timing, self.every, self.share = timing, every, share
        self.begun, self.spent = time.monotonic(), 0.0

    def on_epoch_end(self, epoch, logs=None):
        step, now = step_of(self.model), time.monotonic()
        if not self.timing.due(step, self.every):
            return
        if step != self.timing.last and any_worker(self.spent > self.share * (now - self.begun)):
            return
        self.act(step, logs)
        self.spent += time.monotonic() - now


class ProgressBar(TensorLogs):
    """One bar over the whole run, with each player's loss and the time left."""

    def __init__(self, total: int):
        super().__init__()
        self.total = total

    def on_train_begin(self, logs=None):
        if not hasattr(self, "bar"):  # a training whose last interval is shorter has two beginnings
            # None shows no bar in a file, where it would be a line for each half second.
            looks = {"unit": "step", "dynamic_ncols": True, "disable": None}
            self.bar = tqdm(total=self.total, initial=step_of(self.model), **looks)
            self.shown = time.monotonic()

    def on_train_batch_end(self, batch, logs):
        if not self.bar.disable and time.monotonic() - self.shown > 0.5:
            self.shown = time.monotonic()
            players = dict.fromkeys(term.split("/")[0] for term in logs)
            sums = {p: sum(float(v) for term, v in logs.items() if term.split("/")[0] == p) for p in players}
            self.bar.set_postfix({p: f"{value:.3g}" for p, value in sums.items()}, refresh=False)
            self._move()

    def on_epoch_end(self, epoch, logs=None):
        self._move()

    def close(self):
        """Ends the bar's line, so that what stops a training is said on a line of its own."""
        if hasattr(self, "bar"):
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
        if self.model.bad_term is not None:
            what = "the loss {} is not finite at step {}".format(*self.model.bad_term)
        else:  # the last update can spoil what lies behind a finite loss
            what = self._bad_state()
        if what is not None:
            raise ValueError(f"{what}; the last good checkpoint: {self.checkpoints.newest or 'none'}")

    def _bad_state(self) -> str | None:
        """What of the state is not finite: weights, statistics of a batch normalization, averages, or others."""
        model = self.model
        parts = {f"the weights of {player} are": model.trainable(player) for player in model.players}
        parts |= {f"the statistics of {name} are": n.non_trainable_variables for name, n in model.networks.items()}
        parts["the moving average of the generator is"] = model.averages
        known = {id(variable) for variables in parts.values() for variable in variables}
        parts |= {f"{v.name.partition(':')[0]} is": [v] for v in model.variables if id(v) not in known}
        floats = {what: [v for v in variables if v.dtype.is_floating] for what, variables in parts.items()}
        finite = {
            what: tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in variables])
            for what, variables in floats.items()
            if variables
        }
        bad = [what for what, is_finite in finite.items() if not is_finite]
        return f"{bad[0]} not finite at step {step_of(model)}" if bad else None


class Estimate(TensorLogs):
    """Says, after the first interval, how long the run will take and how much disk its checkpoints need."""

    def __init__(self, checkpoints: Checkpoints, *, total: int):
        super().__init__()
        self.checkpoints, self.total = checkpoints, total
        self.said = False

    def on_train_batch_end(self, batch, logs=None):
        if not hasattr(self, "begun"):  # not at the beginning, as the first call of the step traces it
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

    def __init__(self, evaluate: Callable[[], dict[str, float]], **often):
        super().__init__(**often)
        self.evaluate = evaluate

    def act(self, step: int, logs: dict[str, float]):
        self.scores = self.evaluate()
        logs.update(self.scores)
        if self.scores:
            # Early on there is no mode to measure, for example.
            known = [f"{name} {value:.4g}" for name, value in self.scores.items() if not math.isnan(value)]
            tqdm.write(f"step {step}: {', '.join(known) or 'no score is a number'}")


class Record(keras.callbacks.Callback):
    """Appends the logs to the metrics and to the TensorBoard events in `folder`.

    A run that resumes drops what lies behind its step, since it writes that again.
    """

    def __init__(self, folder: RunFolder, log_every: int):
        super().__init__()
        self.folder, self.log_every = folder, log_every

    def on_train_begin(self, logs=None):
        if hasattr(self, "events"):  # a training whose last interval is shorter has two beginnings
            return
        step, path = step_of(self.model), self.folder.metrics
        kept = [row for row in self.folder.rows(tqdm.write) if row["step"] <= step]
        missing = sorted(set(range(self.log_every, step + 1, self.log_every)) - {row["step"] for row in kept})
        if missing and self.model.distribute_strategy.extended.should_checkpoint:  # other workers' folders are empty
            tqdm.write(f"{path} lacks {len(missing)} line(s), of the steps {missing[0]} to {missing[-1]}")
        files.write_whole(path, "".join(json.dumps(row) + "\n" for row in kept))
        drop_events(self.folder.events, step)
        self.events = tf.summary.create_file_writer(self.folder.events)
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch, logs):
        step = step_of(self.model)
        row = {"step": step, "generator_updates": step * self.model.generator_updates, **files.with_nulls(logs)}
        row["seconds"] = round(time.monotonic() - self.begun, 3)
        files.append_rows(self.folder.metrics, [row])  # on the disk before the checkpoint of this step
        with self.events.as_default(step=step):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
        self.events.flush()


def drop_events(folder: str, step: int):
    """Deletes all TensorBoard events behind `step`, and the parts of files that cannot be read."""

    def kept(record: bytes | None) -> bool:
        return record is not None and tf.compat.v1.Event.FromString(record).step <= step

    for path in glob.glob(os.path.join(glob.escape(folder), "events.out.tfevents.*")):
        if not all(map(kept, _records(path))):
            with files.whole(path) as new, tf.io.TFRecordWriter(new) as writer:
                for record in filter(kept, _records(path)):
                    writer.write(record)


def _records(path: str) -> Iterator[bytes | None]:
    """The records of a file. From a damaged record on there is one None."""
    try:
        yield from tf.data.TFRecordDataset(path).as_numpy_iterator()
    except tf.errors.OpError:
        yield None


class Draw(_Every):
    """Writes each of `figures()` as a PNG and into the TensorBoard events. At the end, those of a name become a GIF."""

    FRAMES = 200  # the most in a GIF, for its size

    def __init__(self, figures: Callable[[], dict], folder: str, record: Record, **often):
        super().__init__(**often)
        self.figures, self.folder, self.record = figures, folder, record

    def act(self, step: int, logs: dict[str, float]):
        os.makedirs(self.folder, exist_ok=True)
        for name, figure in self.figures().items():
            path = os.path.join(self.folder, f"{name}_{step:07d}.png")
            with files.whole(path) as new:
                figure.savefig(new, format="png")
            with self.record.events.as_default(step=step):
                tf.summary.image(name, tf.io.decode_png(tf.io.read_file(path), channels=3)[None])
            if step == self.timing.last:
                self._animate(name)

    def _animate(self, name: str):
        found = [re.fullmatch(rf"{re.escape(name)}_([0-9]+)\.png", file) for file in os.listdir(self.folder)]
        ordered = [match[0] for match in sorted(filter(None, found), key=lambda match: int(match[1]))]
        frames, stride = [], -(-len(ordered) // self.FRAMES)
        for file in ordered[(len(ordered) - 1) % stride :: stride]:  # with the last one
            try:
                with picture_file.opened(os.path.join(self.folder, file)) as image:
                    frames.append(image.convert("RGB"))
            except ValueError as error:
                tqdm.write(f"{error}; it is left out of the animation")
        if len(frames) < 2:  # nothing would move
            return
        with files.whole(os.path.join(self.folder, f"{name}.gif")) as new:
            frames[0].save(new, format="GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)


class Operative(keras.callbacks.Callback):
    """Keeps the parameters that were used so far in the file `path`. The first step or score reads some of them."""

    def __init__(self, path: str):
        super().__init__()
        self.path, self.written = path, None
        self.write()

    def on_epoch_end(self, epoch, logs=None):
        self.write()

    def write(self):
        text = config.operative_text()
        if text != self.written:
            files.write_whole(self.path, text)
            self.written = text


class Save(_Every):
    """Writes a checkpoint, after the lines of the log, so that none of these is lost."""

    def __init__(self, checkpoints: Checkpoints, *, timing: Timing, every: int):
        super().__init__(timing=timing, every=every)
        self.checkpoints = checkpoints

    def act(self, step: int, logs: dict[str, float]):
        self.checkpoints.save()


class StopOnSignal(TensorLogs):
    """On SIGTERM (clusters pre-empt), SIGHUP (a terminal is closed) and SIGINT, saves at the next step and ends the
    process with 128 + the signal.

    Several workers stop together: they ask each other about once a second. A second signal acts as usual. While this is
    entered, it handles the signals, but for those that the process was started to ignore (`nohup`).
    """

    def __init__(self, checkpoints: Checkpoints, non_finite: StopOnNonFinite):
        super().__init__()
        self.checkpoints, self.non_finite = checkpoints, non_finite
        self.received = None
        self.handlers = {}
        self.every = 1  # steps between two questions to the other workers; the same on all of them

    def __enter__(self) -> "StopOnSignal":
        held = [s for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) != signal.SIG_IGN]
        self.handlers = {number: signal.signal(number, self._note) for number in held}
        return self

    def __exit__(self, *_):
        while self.handlers:
            signal.signal(*self.handlers.popitem())

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = step_of(self.model), time.monotonic()
        self.due = self.every

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1
        if done == self.params["steps"]:  # the end of the interval stops the run, behind its line
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

    def _note(self, number, frame):
        self.received = number
        self.__exit__()

    def _stop(self):
        self.non_finite.check()
        step = self.checkpoints.save()
        number = self.received or signal.SIGTERM  # the signal went to another worker
        leave_last()
        tqdm.write(f"stopped by {signal.Signals(number).name} at step {step}; the same command resumes there")
        raise SystemExit(128 + number)
