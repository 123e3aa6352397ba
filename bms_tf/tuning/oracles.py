"""KerasTuner's oracles, as gin names them, made to survive a kill at any moment and to stop after some hours.

What is private in KerasTuner is used here alone, or imported from here.
"""

import functools
import glob
import json
import math
import os
import time
from collections.abc import Callable

import gin
from keras_tuner import HyperParameters, Objective, Oracle
from keras_tuner import oracles as keras_oracles
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos as protos
from keras_tuner.src.distribute import oracle_chief as oracle_chief
from keras_tuner.src.distribute import oracle_client as oracle_client
from keras_tuner.src.engine import conditions as conditions
from threadpoolctl import threadpool_limits

from bms_tf.core.files import read_json, write_whole

Objectives = list[Objective]


class Resumable(Oracle):
    """A mixin ahead of one of KerasTuner's oracles, with which a search survives a kill.

    KerasTuner writes its files in place. Here a file is whole or absent. KerasTuner counts a trial as running until the
    next one begins. Here a trial that has ended is never run again. KerasTuner stops a search after three failures in a
    row. Here failures are recorded, and the search goes on.
    """

    hours: float | None = None  # of search, all sittings together; a trial that has begun is finished
    updates_per_epoch: int | None = None  # generator updates in what Hyperband calls an epoch
    started: Callable[[Trial, str], None] = staticmethod(lambda trial, tuner_id: None)
    ended: Callable[[Trial], None] = staticmethod(lambda trial: None)

    def __init__(self, objective: Objectives, space: HyperParameters, seed: int, **options):
        super().__init__(
            objective=objective if len(objective) > 1 else objective[0],
            hyperparameters=space,
            seed=seed + 1,  # KerasTuner takes 0 for none
            max_consecutive_failed_trials=None,  # pyright: ignore[reportArgumentType], for any number
            **options,
        )
        self.verbose = 0
        self._earlier_seconds, self._begun = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """The time searched, up to the last record of each earlier sitting."""
        return self._earlier_seconds + time.monotonic() - self._begun

    def populate_space(self, trial_id: str) -> dict:
        if self.hours is not None and self.seconds >= 3600 * self.hours:
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    def create_trial(self, tuner_id: str) -> Trial:
        trial = super().create_trial(tuner_id)
        if trial.status == "RUNNING":
            self.started(trial, tuner_id)
        return trial

    def end_trial(self, trial: Trial):
        super().end_trial(trial)
        self.ended(self.trials[trial.trial_id])

    def get_state(self) -> dict:
        return super().get_state() | {"seconds": self.seconds}

    def set_state(self, state: dict):
        super().set_state(state)
        self._earlier_seconds, self._begun = state["seconds"], time.monotonic()

    def save(self):
        write_whole(self._get_oracle_fname(), json.dumps(self.get_state()))

    def _save_trial(self, trial: Trial):
        write_whole(os.path.join(self._get_trial_dir(trial.trial_id), "trial.json"), json.dumps(trial.get_state()))

    def reload(self):
        """Takes the state from the files. Raises ValueError for damaged ones."""
        folder = os.path.dirname(self._get_oracle_fname())
        for path in glob.glob("**/*.json", root_dir=folder, recursive=True):
            read_json(os.path.join(folder, path))  # as KerasTuner's own errors name no file
        try:
            super().reload()
            # A kill between a new trial's two files leaves one that the oracle does not know. It has not begun.
            self.trials = {trial_id: self.trials[trial_id] for trial_id in self.start_order}
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = error.__cause__ or error  # KerasTuner's own advice is for callers of its classes
            message = f"{folder} is damaged ({reason!r}); bring it back from a copy, or search in another folder"
            raise ValueError(message) from error
        self._retry_queue = [trial_id for trial_id in reversed(self.start_order) if trial_id not in self.end_order]


class RandomSearch(Resumable, keras_oracles.RandomSearchOracle):
    """Random values, each combination once."""


class Bayesian(Resumable, keras_oracles.BayesianOptimizationOracle):
    """Values of the least upper confidence bound of a Gaussian process."""

    def populate_space(self, trial_id: str) -> dict:
        with threadpool_limits(1):  # its matrices are small: many threads only wait for each other, for seconds
            return super().populate_space(trial_id)


class Hyperband(Resumable, keras_oracles.HyperbandOracle):
    """Many short trials, of which the better ones are trained further."""


class Grid(Resumable, keras_oracles.GridSearchOracle):
    """Every combination."""

    def populate_space(self, trial_id: str) -> dict:
        answer = super().populate_space(trial_id)
        if answer["status"] == "RUNNING":
            # KerasTuner waits for the trial's end before it makes the combination behind it, as a trial may bring new
            # parameters. Here none does, and with many workers all but one would wait.
            self._populate_next.append(trial_id)
        return answer

    def reload(self):
        super().reload()
        # KerasTuner keeps the order of the combinations in memory alone: a grid that is reloaded would end at once.
        values = {trial_id: trial.hyperparameters.values for trial_id, trial in self.trials.items()}
        in_order = functools.cmp_to_key(lambda a, b: self._compare(values[a], values[b]))
        for trial_id in sorted(values, key=in_order):
            self._ordered_ids.insert(trial_id)
        self._populate_next = list(self.trials)


class TrialLoop(BaseTuner):
    """KerasTuner's loop over trials, with one file for all processes. KerasTuner's own has one for each."""

    @property
    def is_worker(self) -> bool:
        return self._is_worker()

    def _get_tuner_fname(self) -> str:
        return os.path.join(self.project_dir, "tuner.json")


@gin.configurable
def random_search(objective: Objectives, space: HyperParameters, seed: int) -> Resumable:
    """Random search (Bergstra and Bengio 2012): every parameter drawn on its own."""
    return RandomSearch(objective, space, seed, max_trials=None)


@gin.configurable
def bayesian(
    objective: Objectives,
    space: HyperParameters,
    seed: int,
    *,
    initial_trials: int | None = None,
    exploration: float = 2.6,
) -> Resumable:
    """A Gaussian process's lower confidence bound (Srinivas et al. 2010), mean - `exploration` standard deviations.

    `initial_trials` of random search come first. None makes three for each parameter.
    """
    return Bayesian(objective, space, seed, max_trials=None, num_initial_points=initial_trials, beta=exploration)


@gin.configurable
def hyperband(
    objective: Objectives,
    space: HyperParameters,
    seed: int,
    *,
    updates_per_epoch: int = gin.REQUIRED,
    epochs: int = gin.REQUIRED,
    factor: int = 3,
) -> Resumable:
    """Hyperband (Li et al. 2018): of each round the better 1 / `factor` are trained `factor` times as long.

    The longest trials have `epochs` epochs of `updates_per_epoch` generator updates, whatever length the recipe has.
    Raises ValueError for a value out of range.
    """
    for name, count, least in (
        ("updates_per_epoch", updates_per_epoch, 1),
        ("epochs", epochs, 1),
        ("factor", factor, 2),
    ):
        if count < least:
            raise ValueError(f"hyperband.{name} is {count}; it must be at least {least}")
    oracle = Hyperband(objective, space, seed, max_epochs=epochs, factor=factor)
    oracle.updates_per_epoch = updates_per_epoch
    brackets = range(oracle._get_num_brackets())
    oracle.max_trials = sum(oracle._get_size(b, r) for b in brackets for r in range(oracle._get_num_rounds(b)))
    return oracle


@gin.configurable
def grid_search(objective: Objectives, space: HyperParameters, seed: int) -> Resumable:
    """Every combination; an interval without a step counts as ten values."""
    return Grid(objective, space, seed, max_trials=math.prod(len(list(p.values)) for p in space.space))
