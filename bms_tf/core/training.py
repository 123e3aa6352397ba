"""One training run: from a parsed configuration to a run folder."""

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import gin
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from bms_tf.core import callbacks, config, memory
from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.devices import fetching, noticing_lost_workers, one_device
from bms_tf.core.keras import keras
from bms_tf.core.precision import Precision, computing_in
from bms_tf.core.system import Phase, System
from bms_tf.core.warm_start import warm_start

# What may differ when a run is resumed: its length, and on what it runs.
MAY_CHANGE = (
    "train.generator_updates",
    "train.devices",
    "mirrored.devices",
    "train.accumulate",
    "train.keep_checkpoints",
)


@gin.configurable("train", module="bms_tf")
class Run:
    """A system, its data and its measurements, built from gin and ready to train."""

    def __init__(
        self,
        *,
        system: Callable[..., System] = gin.REQUIRED,
        data: Callable[..., tf.data.Dataset] = gin.REQUIRED,
        optimizer: Callable[[], keras.optimizers.Optimizer] = gin.REQUIRED,
        generator_updates: int = gin.REQUIRED,
        batch_size: int = gin.REQUIRED,
        modifiers: Sequence[Callable[[System, Phase], Phase]] = (),
        log_every: int = 500,
        evaluate_every: int = 5000,
        evaluation_share: float = 1.0,
        checkpoint_every: int = 1000,
        keep_checkpoints: int = 3,
        metrics: Sequence[Callable[..., Mapping[str, float]]] = (),
        pictures: Sequence[Callable[..., Figure | None]] = (),
        samples: int = 2500,
        real_split: str = "validation",
        seed: int = 0,
        devices: Callable[[], tf.distribute.Strategy] = one_device,
        jit_compile: bool | Literal["auto"] = "auto",
        steps_per_execution: int = 1,
        precision: Precision = "float32",
        accumulate: int = 1,
    ):
        """`system(seed=...)`, and `optimizer()` once for each player in the gin scope of its name, are called under
        `devices()`; `modifiers` change the system's phases; `seed` is that of the initial weights, the data and all
        noise; `precision` is what the networks compute in; `accumulate`: see `System.compile`.

        `generator_updates`: the length of the run, as the papers count it; the `*_every`: steps; `evaluation_share`: of
        the time, the most that scores may take on the way, and again pictures; `samples`: how many samples are scored,
        beside as many real examples of `real_split`. Raises ValueError for a value out of range.
        """
        counts = {
            "generator_updates": generator_updates,
            "batch_size": batch_size,
            "log_every": log_every,
            "evaluate_every": evaluate_every,
            "checkpoint_every": checkpoint_every,
            "keep_checkpoints": keep_checkpoints,
            "samples": samples,
            "steps_per_execution": steps_per_execution,
            "accumulate": accumulate,
        }
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"train.{name} is {count}; it must be at least 1")
        if not 0 <= seed < 2**31:
            raise ValueError(f"train.seed is {seed}; it must lie in [0, 2^31)")
        if not 0 <= evaluation_share <= 1:
            raise ValueError(f"train.evaluation_share is {evaluation_share}; it must lie in [0, 1]")
        self.strategy = devices()
        replicas = self.strategy.num_replicas_in_sync
        if batch_size % (replicas * accumulate):
            parts = f"the {replicas} devices" + (f" times accumulate = {accumulate}" if accumulate > 1 else "")
            raise ValueError(f"train.batch_size is {batch_size}; it must be a multiple of {parts}")
        keras.utils.set_random_seed(seed)
        with self.strategy.scope(), computing_in(precision):
            with memory.weights_checked():
                self.system = system(seed=seed)
            memory.check_batch(self.system.networks.values(), batch_size // (replicas * accumulate))
            # As they are drawn and put together, and twice as long where a metric computes in float64.
            memory.check(4 * samples * math.prod(self.system.data_shape), f"train.samples = {samples:,}")
            optimizers = {}
            for player in self.system.players:
                with gin.config_scope(player):
                    optimizers[player] = optimizer()
            self.system.compile(
                optimizers,
                modifiers=modifiers,
                jit_compile=jit_compile,
                steps_per_execution=steps_per_execution,
                accumulate=accumulate,
            )
        self.data, self.seed = data, seed
        self.log_every, self.evaluate_every, self.checkpoint_every = log_every, evaluate_every, checkpoint_every
        self.keep_checkpoints, self.evaluation_share = keep_checkpoints, evaluation_share
        self.metrics, self.pictures, self.samples = metrics, pictures, samples
        self.real_split = real_split
        self.examples_per_step = batch_size * self.system.batches_per_step
        self.steps = generator_updates // self.system.generator_updates
        for name, every in {"evaluate_every": evaluate_every, "checkpoint_every": checkpoint_every}.items():
            if every % log_every:
                raise ValueError(f"train.{name} is {every}; it must be a multiple of log_every = {log_every}")
        if log_every % steps_per_execution or generator_updates % (self.system.generator_updates * log_every):
            raise ValueError(
                f"train.generator_updates is {generator_updates}, log_every {log_every} and steps_per_execution "
                f"{steps_per_execution}: the first must be a multiple of {self.system.generator_updates} (a step's "
                "generator updates) * log_every, and the last must divide log_every"
            )
        self._sample = tf.function(self.system.sample)
        self._reconstruct = tf.function(self.system.reconstruct) if "reconstruct" in self.system.offers else None

    def dataset(self, split: str, start_step: int, input_context=None) -> tf.data.Dataset:
        return self.data(split, start_step, self.examples_per_step, self.seed, input_context)

    def check_data(self):
        """Raises ValueError where system and data do not fit, or there is no such split.

        Apart, so that a run can be rebuilt without its data.
        """
        example = tuple(self.dataset("train", 0).element_spec.shape[1:])
        if example != self.system.data_shape:
            raise ValueError(f"the data has examples of shape {example}; the generator makes {self.system.data_shape}")
        for split in ("test", self.real_split):
            self.dataset(split, 0)

    # Measurements.

    def draw_samples(self) -> np.ndarray:
        """`samples` samples, the same codes every time."""
        seeds = self.seed * 2**32 + np.arange(self.samples, dtype=np.int64)
        return np.concatenate([self._sample(part).numpy() for part in np.array_split(seeds, -(-self.samples // 500))])

    @cached_property
    def reference(self) -> np.ndarray:
        """The test split."""
        return np.concatenate(list(self.dataset("test", 0).as_numpy_iterator()))

    def scores(self, samples: np.ndarray) -> dict[str, float]:
        """Every metric of `samples`."""
        return {k: v for metric in self.metrics for k, v in metric(samples, self.reference, seed=self.seed).items()}

    def sample_scores(self) -> dict[str, float]:
        """Every metric of `draw_samples()`."""
        return self.scores(self.draw_samples())

    def real_scores(self) -> dict[str, float]:
        """Every metric of as many examples of `real_split`: what a perfect generator would get."""
        examples = self.dataset(self.real_split, 0).unbatch().take(self.samples).batch(self.samples)
        return self.scores(next(examples.as_numpy_iterator()))

    def data_hashes(self) -> dict[str, str]:
        """SHA-256 of the first training batch and of the test split: the same data and order give the same."""
        first = next(self.dataset("train", 0).as_numpy_iterator())
        arrays = {"first_batch_sha256": first, "test_split_sha256": self.reference}
        return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}

    def figures(self) -> dict:
        """Every picture, by name."""
        samples, reference = self.draw_samples(), self.reference
        reconstruct = self._reconstruct and (lambda x: self._reconstruct(x).numpy())
        figures = {picture.__name__: picture(samples, reference, reconstruct) for picture in self.pictures}
        return {name: figure for name, figure in figures.items() if figure is not None}

    # Commands.

    def describe(self, start_from: str | None = None) -> str:
        """Every network's layers and parameter counts, the shape of the first batch, and what would be taken from
        `start_from`; takes one step.
        """
        self.check_data()
        lines = []
        if start_from is not None:
            warm_start(self.system, start_from, report=lines.append)
        for name, network in self.system.networks.items():
            lines.append(f"\n{name}")
            network.summary(print_fn=lambda line, **_: lines.append(line), expand_nested=True, line_length=88)
        shape = next(iter(self.dataset("train", 0))).shape
        lines.append(f"\nfirst batch: {tuple(shape)} ({self.system.batches_per_step} batch(es) a step)")
        history = self._fit(start=0, steps=1, epoch=1)
        lines.append("one step: " + ", ".join(f"{term} {values[0]:.4g}" for term, values in history.items()))
        return "\n".join(lines)

    def train(self, run_dir: str, start_from: str | None = None) -> dict[str, dict[str, float]]:
        """Trains in `run_dir`, from its newest checkpoint where it has one, else with what fits of the weights in
        `start_from` (see `warm_start`). Returns the scores of samples and of data.

        Raises ValueError if system and data do not fit or the folder holds a run with other settings,
        or if a loss is not finite.
        """
        self.check_data()
        os.makedirs(run_dir, exist_ok=True)
        checkpoints = Checkpoints(self.system, os.path.join(run_dir, "checkpoints"), keep=self.keep_checkpoints)
        settings, text = os.path.join(run_dir, "config.gin"), config.as_text()
        if checkpoints.newest and os.path.exists(settings):  # before the first one there is nothing to lose
            with open(settings) as file:
                changes = config.difference(file.read(), text, ignore=MAY_CHANGE)
            if changes:
                raise ValueError(
                    f"{run_dir} holds a run with other settings ({'; '.join(changes)}); take another --run_dir"
                )
        start = checkpoints.restore()
        if start > self.steps:
            raise ValueError(f"{run_dir} holds a run of {start} steps; train.generator_updates allows {self.steps}")
        if start:
            print(f"resuming at step {start} of {self.steps}")
        elif start_from is not None:
            with self.strategy.scope():
                warm_start(self.system, start_from)
        with contextlib.ExitStack() as stack:
            folder = run_dir
            if not self.strategy.extended.should_checkpoint:
                # Reading the state may need all workers: each does all that the chief does, and all but it forget it.
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                checkpoints.move_to(os.path.join(folder, "checkpoints"))
            of_samples = self._train(start, folder, checkpoints) if start < self.steps else self.sample_scores()
            scores = {"samples": of_samples, "data": self.real_scores()}
            written = {column: callbacks.without_nan(values) for column, values in scores.items()}
            write_whole(os.path.join(folder, "scores.json"), json.dumps(written, indent=1) + "\n")
        return scores

    def _train(self, start: int, folder: str, checkpoints: Checkpoints) -> dict[str, float]:
        """Trains from step `start` to the end and writes all of it into `folder`; returns the last scores."""
        write_whole(os.path.join(folder, "config.gin"), config.as_text())
        operative = os.path.join(folder, "operative.gin")
        write_whole(operative, config.operative_text())
        write_whole(os.path.join(folder, "data.json"), json.dumps(self.data_hashes(), indent=1) + "\n")
        often = {"every": self.evaluate_every, "last": self.steps, "share": self.evaluation_share}
        non_finite = callbacks.StopOnNonFinite(checkpoints)
        evaluate = callbacks.Evaluate(self.sample_scores, **often)
        record = callbacks.Record(folder)
        with (
            noticing_lost_workers(),
            contextlib.closing(callbacks.ProgressBar(self.steps)) as bar,
            contextlib.closing(callbacks.StopOnSignal(checkpoints, non_finite)) as stop,
        ):
            self._fit(
                start=start,
                steps=self.steps - start,
                epoch=self.log_every,
                callbacks=[
                    bar,
                    non_finite,
                    callbacks.Estimate(checkpoints, total=self.steps),
                    evaluate,
                    record,
                    callbacks.Draw(self.figures, os.path.join(folder, "pictures"), record, **often),
                    callbacks.Save(checkpoints, every=self.checkpoint_every, last=self.steps),
                    stop,
                ],
            )
        write_whole(operative, config.operative_text())  # now with what training used
        return evaluate.scores

    def _fit(self, *, start: int, steps: int, epoch: int, callbacks: Sequence[keras.callbacks.Callback] = ()):
        if self.strategy.num_replicas_in_sync > 1:
            dataset = self.strategy.distribute_datasets_from_function(
                lambda context: self.dataset("train", start, context), fetching()
            )
        else:
            dataset = self.dataset("train", start)
        history = self.system.fit(
            dataset,
            initial_epoch=start // epoch,
            initial_step=start % epoch,
            epochs=(start + steps) // epoch,
            steps_per_epoch=epoch,
            callbacks=callbacks,
            verbose=0,
        )
        return history.history


def new_run() -> Run:
    """The run that gin now describes, with nothing left of an earlier one in this process."""
    keras.backend.clear_session()
    with config.one_line_errors():
        run = Run()
    config.check_scopes(run.system.players)
    return run


def write_whole(path: str, text: str):
    """All of the file or none of it."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)
