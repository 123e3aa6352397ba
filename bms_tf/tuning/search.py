"""A search: what gin says of it, and its trials, each of which is an ordinary run folder."""

import contextlib
import gc
import math
import os
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import gin
from keras_tuner import Objective
from keras_tuner.engine.trial import Trial

from bms_tf.core import command, config, errors, files, gin_text, processes, startup, training
from bms_tf.tuning import oracles
from bms_tf.tuning.space import Choice, Code, Interval, bindings, declare, shown, swept

Scores = dict[str, float]

# What may change between two sittings of one search.
FREE = ("tune.trials", "tune.hours", "tune.finalists", "tune.fresh_seeds")
PRELOAD = (__name__,)
DEATHS = 3  # of processes in one trial, after which the trial has failed


@gin.configurable("tune", module="bms_tf")
class Search:
    """The space, the objectives and the oracle of a search.

    KerasTuner adds the values of several objectives, each with its sign, to one score.
    """

    def __init__(
        self,
        *,
        space: dict[str, Choice | Interval] = gin.REQUIRED,
        objectives: dict[str, Literal["min", "max"]] = gin.REQUIRED,
        oracle: Callable[..., oracles.Resumable] = oracles.random_search,
        trials: int | None = None,
        hours: float | None = None,
        seed: int = 100,
        finalists: int = 3,
        fresh_seeds: Sequence[int] = (101, 102, 103),
    ):
        """Makes the oracle.

        Args:
            space: gin parameters by name, each with the values to try.
            objectives: metrics with their directions.
            oracle: makes the oracle that proposes the trials.
            trials: the most trials; None sets no bound.
            hours: the most hours; None sets no bound.
            seed: the seed of every trial.
            finalists: how many of the best settings are run again.
            fresh_seeds: the seeds on which the finalists are run.

        Raises:
            ValueError: for a value out of range, and where nothing bounds the search.
        """
        if not space or not objectives:
            raise ValueError("tune.space and tune.objectives must not be empty")
        for name, value in {"trials": trials, "hours": hours}.items():
            if value is not None and not value > 0:
                raise ValueError(f"tune.{name} is {value}; it must be positive")
        if seed < 0 or finalists < 0 or min(fresh_seeds, default=0) < 0:
            raise ValueError("tune.seed, tune.finalists and tune.fresh_seeds must not be negative")
        if seed in fresh_seeds or len(set(fresh_seeds)) < len(fresh_seeds):
            allowed = f"each may occur once, and tune.seed = {seed} must not be among them"
            raise ValueError(f"tune.fresh_seeds is {fresh_seeds}; {allowed}")
        self.space, self.directions, self.seed = space, objectives, seed
        self.finalists, self.fresh_seeds = finalists if fresh_seeds else 0, fresh_seeds
        self.oracle = oracle([Objective(*item) for item in objectives.items()], declare(space), seed)
        self.oracle.hours = hours
        self.whole = self.oracle.max_trials  # how many there would be without a bound; None: no end
        self.oracle.max_trials = min((n for n in (trials, self.oracle.max_trials) if n is not None), default=None)
        if hours is None and self.oracle.max_trials is None:
            raise ValueError("tune.trials or tune.hours must be set: nothing else bounds this search")

    def bindings(self, values: dict[str, Code]) -> list[str]:
        """A trial's values as gin bindings."""
        epochs, updates = values.get("tuner/epochs"), self.oracle.updates_per_epoch
        length = [f"train.generator_updates = {updates * epochs}"] if epochs and updates else []
        return [*bindings(values), *length]

    def objective_of(self, scores: Mapping[str, float | None]) -> dict[str, float]:
        """The objectives among a run's scores, with the one number that KerasTuner compares.

        Raises ValueError where one is not finite.
        """
        values: dict[str, float] = {}
        for name in self.directions:
            value = scores[name]
            if value is None or not math.isfinite(value):  # a scores.json has None for it
                raise ValueError(f"{name} is {'not finite' if value is None else value}")
            values[name] = value
        values[self.oracle.objective.name] = self.oracle.objective.get_value(values)
        return values


class Setting:
    """A search in its folder, and the gin files that it was started with."""

    def __init__(self, folder: str, files: Sequence[str], params: Sequence[str], allow_import: Sequence[str]):
        """Reads the gin files. Raises ValueError for what is wrong with them, or with the search that they describe."""
        self.folder, self.files, self.params, self.allow_import = folder, files, params, allow_import
        config.load(files, params, allow_import)
        self.text = config.as_text()
        with errors.in_one_line():
            self.search = Search()

    def configure(self, params: Sequence[str]):
        """Makes gin's configuration that of a run: the recipe with `params` on top, without the search."""
        config.load(self.files, [*self.params, *params], self.allow_import)
        config.forget("bms_tf.tuning")

    def run_dir(self, trial_id: str) -> str:
        return os.path.join(self.folder, "trials", trial_id)

    def check(self):
        """Raises ValueError for a name, a type, an objective or a seed that would end every trial. Trains nothing."""
        search = self.search
        for name, parameter in search.space.items():
            for code in parameter.codes:
                try:
                    self.configure(bindings({name: code}))
                except errors.ConfigError as error:
                    raise ValueError(f"tune.space: {str(error).removeprefix(gin_text.PARAM + ' ')}") from error
        epoch = {"tuner/epochs": 1} if search.oracle.updates_per_epoch else {}
        values = search.oracle.get_space().values
        self.configure(search.bindings(values | epoch))
        run = training.new_run()
        if run.recipe.seed in (search.seed, *search.fresh_seeds):
            raise ValueError(
                f"train.seed is {run.recipe.seed}, which is a seed of tuning (tune.seed, tune.fresh_seeds); what is "
                "tuned on a seed cannot be reported on it"
            )
        with errors.in_one_line():
            run.check_data()
            found = run.real_scores()
        for name in search.directions:
            if name not in found:
                hint = errors.nearest(name, found)
                raise ValueError(f"tune.objectives: no metric gives {name!r}{hint}; they give {', '.join(found)}")
        unused = config.unused()
        for name in values:
            if name.rpartition(".")[0] in unused:
                raise ValueError(f"tune.space: nothing reads {name}; is its scope right?")

    @property
    def arguments(self) -> tuple:
        """The arguments with which another process makes the same setting."""
        return self.folder, self.files, self.params, self.allow_import

    def enter(self, group: processes.Group):
        """Makes the folder, or finds this search in it. A process of `group` checks a new search first.

        Raises ValueError for what `check` finds, and where the folder holds another search.
        """
        path = os.path.join(self.folder, "search.gin")
        if not os.path.exists(path):
            if os.path.exists(self.folder) and set(os.listdir(self.folder)) - {"lock", "search.gin.new"}:
                raise ValueError(
                    f"{self.folder} is not empty, and not the folder of a search; take another --search_dir"
                )
            print("checking the search before its first trial", flush=True)
            try:
                group.call(_check, *self.arguments)
            except ChildProcessError as error:
                raise ValueError(f"the check of the search was ended by {error}") from error
            os.makedirs(self.folder, exist_ok=True)
            files.write_whole(path, self.text)
        changes = gin_text.difference(files.read_text(path), self.text, ignore=FREE, source=path)
        if changes:
            raise ValueError(f"{self.folder} holds a search with other settings ({changes}); take another --search_dir")
        self.files, self.params = [path], ()  # an edit of the recipe while the search runs changes no trial


class Tuner(oracles.TrialLoop):
    """KerasTuner's loop over trials. Each trial is trained in a process of its own."""

    def __init__(self, setting: Setting, group: processes.Group):
        self.setting, self.group = setting, group
        with contextlib.redirect_stdout(None):  # it prints that it reloads
            super().__init__(setting.search.oracle, directory=setting.folder, project_name="oracle")
        self.save()

    def pre_create_trial(self):
        if self.is_worker:
            time.sleep(0.1)  # an oracle that waits for other trials is asked again at once

    def run_trial(self, trial: Trial) -> dict[str, float]:
        values = trial.hyperparameters.values
        if self.is_worker:  # whose chief may print elsewhere
            print(f"trial {trial.trial_id}: {shown(swept(values))}", flush=True)
        for _ in range(DEATHS):
            try:
                return self.group.call(_run_trial, self.setting.arguments, trial.trial_id, values)
            except ChildProcessError as error:
                died = f"{DEATHS} processes died in it, the last by {error}"
        record_error(self.setting.run_dir(trial.trial_id), died)
        raise ValueError(died)


def _check(*arguments):
    startup.import_tensorflow()
    Setting(*arguments).check()


def _run_trial(arguments: tuple, trial_id: str, values: dict[str, Code]) -> dict[str, float]:
    startup.import_tensorflow()
    setting = Setting(*arguments)
    folder = setting.run_dir(trial_id)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    # A process of a search that was killed may still train it.
    with files.locked(folder + ".lock", f"at trial {trial_id}", wait=True):
        if "tuner/trial_id" in values:
            _continue(setting.run_dir(str(values["tuner/trial_id"])), folder)
        params = [*setting.search.bindings(values), f"train.seed = {setting.search.seed}"]
        return train(setting.search.objective_of, partial(setting.configure, params), folder)


def train(judge: Callable[[Scores], Scores], configure: Callable[[], None], folder: str) -> Scores:
    """Trains what gin holds after `configure()` in the run folder `folder`; returns `judge` of its scores.

    What the training prints goes to `log.txt` there. An error goes to `error.txt`, and is raised as a ValueError of one
    line.
    """
    os.makedirs(folder, exist_ok=True)
    Path(folder, "error.txt").unlink(missing_ok=True)
    with open(os.path.join(folder, "log.txt"), "a", buffering=1) as log:  # by lines: a killed process would lose them
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            try:
                configure()
                run = training.new_run()
                with errors.in_one_line():
                    return judge(run.train(folder)["samples"])
            except Exception as error:
                traceback.print_exc()
                line = command.one_line(error)
                record_error(folder, line)
                raise ValueError(line) from error
            finally:
                gc.collect()  # a model and its functions hold each other, where one process trains several


def record_error(folder: str, line: str):
    """Keeps the line of what ended the run in `folder`."""
    os.makedirs(folder, exist_ok=True)
    files.write_whole(os.path.join(folder, "error.txt"), line + "\n")


def has_ended_well(folder: str) -> bool:
    """Whether the run in `folder` has come to its end, without an error in its last sitting."""
    scores, error = (os.path.exists(os.path.join(folder, name)) for name in ("scores.json", "error.txt"))
    return scores and not error


def _continue(parent: str, folder: str):
    """Copies the run `parent` to `folder`, where it is trained further."""
    if not os.path.exists(folder):
        shutil.rmtree(folder + ".new", ignore_errors=True)
        shutil.copytree(parent, folder + ".new", ignore=shutil.ignore_patterns("scores.json", "log.txt", "lock"))
        os.rename(folder + ".new", folder)
