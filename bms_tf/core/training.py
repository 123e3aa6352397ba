"""One training run: from a recipe to a run folder."""

import contextlib
import hashlib
import tempfile
import zlib
from collections.abc import Sequence
from functools import cached_property

import tensorflow as tf

from bms_tf.core import callbacks, config, errors, files
from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.devices import fetching, leave_last, noticing_lost_workers, several_workers, values_of_workers
from bms_tf.core.keras import keras
from bms_tf.core.measuring import Measured
from bms_tf.core.recipe import Recipe
from bms_tf.core.run_folder import RunFolder
from bms_tf.core.warm_start import warm_start


class Run(Measured):
    """What a recipe describes, built and ready to train."""

    def __init__(self, recipe: Recipe | None = None):
        """`recipe`: None for the one that gin describes.

        Raises ValueError for what is wrong in it, and where a phase would change within a log interval.
        """
        recipe = recipe or Recipe()
        super().__init__(recipe, recipe.build())
        recipe.compile(self.system)
        if not self.system.generator_updates:
            raise ValueError(
                f"no phase of {type(self.system).__name__} updates the generator; a run counts its updates"
            )
        self.steps = -(-recipe.generator_updates // self.system.generator_updates)
        self.timing = callbacks.Timing(recipe.log_every, self.steps)
        for phase, edges in self.system.phase_spans.items():
            for edge in edges:
                if edge is not None and edge < self.steps and edge % recipe.log_every:
                    raise ValueError(
                        f"the phase {phase} begins or ends at step {edge}, within a log interval: train.log_every is "
                        f"{recipe.log_every} and must divide {edge}"
                    )

    @property
    def examples_per_step(self) -> int:
        return self.recipe.batch_size * self.system.batches_per_step

    @cached_property
    def data_hashes(self) -> dict[str, str]:
        """SHA-256 of the first training batch and of the test split. The same data in the same order give the same."""
        return {
            "first_batch_sha256": hashlib.sha256(self.first_batch.tobytes()).hexdigest(),
            "test_split_sha256": self.reference_sha256,
        }

    def describe(self, start_from: str | None = None) -> str:
        """Every network's layers and parameter counts, the shape of the first batch, and what would be taken from
        `start_from`. One step is run.
        """
        self.check_data()
        lines = []
        if start_from is not None:
            warm_start(self.system, start_from, report=lines.append)
        for name, network in self.system.networks.items():
            lines.append(f"\n{name}")
            network.summary(print_fn=lambda line, **_: lines.append(line), expand_nested=True, line_length=88)
        shape, count = self.first_batch.shape, self.system.batches_per_step
        lines.append(f"\nfirst batch: {shape} ({count} batch{'es' if count > 1 else ''} a step)")
        losses = self.fit(0, 1)
        lines.append("one step: " + ", ".join(f"{term} {values[0]:.4g}" for term, values in losses.items()))
        return "\n".join(lines)

    def train(
        self, run_dir: str, start_from: str | None = None, *, other_data: bool = False
    ) -> dict[str, dict[str, float]]:
        """Trains in `run_dir` and returns the scores of samples and of data. A finished run returns those it has.

        The training begins at the newest checkpoint. Without one, it begins with what fits of the weights in
        `start_from`, see `warm_start`.

        Raises ValueError if system and data do not fit, if another process trains in the folder, if the folder holds a
        run with other settings or, without `other_data`, on other data, if workers do not agree, or if a loss is not
        finite.
        """
        self.check_data()
        folder = RunFolder(run_dir)
        with contextlib.ExitStack() as stack:
            stack.enter_context(noticing_lost_workers())
            writes = self.recipe.strategy.extended.should_checkpoint
            if writes:
                stack.enter_context(folder.locked())
            checkpoints = Checkpoints(self.system, folder.checkpoints, keep=self.recipe.keep_checkpoints)
            if checkpoints.newest:  # before the first one there is nothing to lose
                folder.check_settings(config.as_text())
                if not other_data:
                    folder.check_data(self.data_hashes)
            start = self._begin(folder, checkpoints, start_from)
            done, scores = start == self.steps, None
            if done and not other_data and folder.settings() == config.as_text():  # other features are other scores
                scores = folder.scores_of(start)
            if scores is None:
                if not writes:
                    # Reading the state may need all workers. So all do what the chief does, and the others forget it.
                    folder = RunFolder(stack.enter_context(tempfile.TemporaryDirectory()))
                    checkpoints.move_to(folder.checkpoints)
                made = [tracker(folder.path, config.settings()) for tracker in self.recipe.trackers if writes]
                trackers = [stack.enter_context(tracker) for tracker in made]
                folder.forget_scores()  # first: those that are there are of other settings, or of other data
                files.write_whole(folder.file("config.gin"), config.as_text())
                folder.write_data(self.data_hashes, start)
                of_samples = self.sample_scores() if done else self._train(start, folder, checkpoints, trackers)
                scores = {"samples": of_samples, "data": self.real_scores()}
                folder.write_scores(self.steps, scores)
            with self.recipe.strategy.scope():
                leave_last()
        return {
            column: {name: files.number(value) for name, value in values.items()} for column, values in scores.items()
        }

    def _begin(self, folder: RunFolder, checkpoints: Checkpoints, start_from: str | None) -> int:
        """Takes the state from which to train, and returns its step."""
        start = checkpoints.restore()
        if start > self.steps:
            raise ValueError(f"{folder.path} holds a run of {start} steps; train.generator_updates allows {self.steps}")
        for phase, (first, _) in self.system.phase_spans.items():
            if first >= self.steps:
                print(f"the phase {phase} begins at step {first}: not in this run of {self.steps} steps")
        if start == self.steps:
            print(f"the run is finished, at step {start}; its scores are in {folder.file('scores.json')}")
        elif start:
            print(f"resuming at step {start} of {self.steps}")
        elif start_from is not None:
            with self.recipe.strategy.scope():
                warm_start(self.system, start_from)
        self._check_workers_agree(start)
        return start

    def _check_workers_agree(self, start: int):
        """Raises ValueError on all workers where these do not begin with the same step, settings, data and weights."""
        with self.recipe.strategy.scope():
            if not several_workers():
                return
            weights = 0
            for variable in self.system.variables:
                weights = zlib.crc32(variable.numpy().tobytes(), weights)
            mine = {
                "step": start,
                "settings": zlib.crc32(config.as_text().encode()),
                "data": zlib.crc32(repr(self.data_hashes).encode()),
                "weights": weights,
            }
            by_worker = values_of_workers(list(mine.values()))
        for name, values in zip(mine, by_worker.T):
            if len(set(values)) > 1:
                raise ValueError(
                    f"the workers, in the order of TF_CONFIG, begin with different {name}: "
                    f"{', '.join(map(str, values))}; all must be given the same command and data, and a --run_dir on a "
                    "disk that all of them see"
                )

    def _train(
        self, start: int, folder: RunFolder, checkpoints: Checkpoints, trackers: Sequence[keras.callbacks.Callback]
    ) -> dict[str, float]:
        """Trains from step `start` to the end and writes all of it into `folder`; returns the last scores."""
        recipe, timing = self.recipe, self.timing
        operative = callbacks.Operative(folder.file("operative.gin"))
        often = {"timing": timing, "every": recipe.evaluate_every, "share": recipe.measuring_share}
        non_finite = callbacks.StopOnNonFinite(checkpoints)
        evaluate = callbacks.Evaluate(self.sample_scores, **often)
        record = callbacks.Record(folder, recipe.log_every)
        with contextlib.ExitStack() as stack:
            stack.callback(operative.write)
            bar = stack.enter_context(contextlib.closing(callbacks.ProgressBar(self.steps)))
            stop = stack.enter_context(callbacks.StopOnSignal(checkpoints, non_finite))
            self.fit(
                start,
                self.steps,
                [
                    bar,
                    non_finite,
                    callbacks.Estimate(checkpoints, total=self.steps),
                    evaluate,
                    record,
                    callbacks.Draw(self.figures, folder.pictures, record, **often),
                    operative,
                    *trackers,
                    callbacks.Save(checkpoints, timing=timing, every=recipe.checkpoint_every),
                    stop,
                ],
            )
        return evaluate.scores

    def fit(
        self, start: int, stop: int, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> dict[str, Sequence[float]]:
        """Trains from step `start` to step `stop`; returns the last losses.

        A Keras epoch is a log interval. All epochs of one `fit` are equally long; a shorter last one has its own.
        """
        length = self.recipe.log_every
        whole = stop - stop % length
        for begin, end, steps in ((start, whole, length), (max(start, whole), stop, stop - whole)):
            if begin < end:
                history = self.system.fit(
                    self._endless(begin),
                    initial_epoch=begin // length,
                    initial_step=begin % length,
                    epochs=-(-end // length),
                    steps_per_epoch=steps,
                    callbacks=callbacks,
                    verbose=0,
                )
        return history.history

    def _endless(self, start: int) -> tf.data.Dataset:
        """The training data from step `start` on, for all replicas."""
        strategy = self.recipe.strategy
        if strategy.num_replicas_in_sync == 1:
            return self.dataset("train", start) if start else self.training_data
        return strategy.distribute_datasets_from_function(
            lambda context: self.dataset("train", start, context), fetching()
        )


def new_run() -> Run:
    """The run that gin now describes, with nothing left of an earlier one in this process."""
    keras.backend.clear_session()
    with errors.in_one_line():
        run = Run()
    config.check_scopes(run.system.players)
    return run
