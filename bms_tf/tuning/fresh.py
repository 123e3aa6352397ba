"""Runs of the best few settings on fresh seeds: the best of many noisy trials need not be the best setting."""

import contextlib
import json
import os
from concurrent import futures
from functools import partial
from typing import NamedTuple

from keras_tuner.engine.trial import Trial

from bms_tf.core import config, files, processes, startup
from bms_tf.tuning.progress import Progress
from bms_tf.tuning.search import Scores, Setting, has_ended_well, record_error, train
from bms_tf.tuning.space import swept
from bms_tf.tuning.workers import gpu


class Job(NamedTuple):
    """One run of a finalist: its trial, gin file, seed and run folder."""

    trial_id: str
    gin_file: str
    seed: int
    run_dir: str


def finalists(setting: Setting) -> list[Trial]:
    """The best trials, one for each combination of values. Hyperband may have several trials of one combination."""
    oracle, best = setting.search.oracle, {}
    for trial in oracle.get_best_trials(len(oracle.trials)):
        if trial.status == "COMPLETED":
            best.setdefault(json.dumps(swept(trial.hyperparameters.values), sort_keys=True), trial)
    return list(best.values())[: setting.search.finalists]


def recipe(setting: Setting, trial: Trial) -> str:
    """The gin text of the trial's setting, which `train` takes as it is, with the recipe's own seed."""
    setting.configure(setting.search.bindings(trial.hyperparameters.values))
    return config.as_text()


def run(setting: Setting, workers: int, group: processes.Group, progress: Progress) -> list[Job]:
    """Trains every finalist with every fresh seed, in so many processes at a time; returns all of these runs.

    With 0 `workers` the runs come one after the other, on all GPUs. Otherwise each worker has a GPU in turn.
    """
    jobs = []
    for trial in finalists(setting):
        folder = os.path.join(setting.folder, "fresh", trial.trial_id)
        os.makedirs(folder, exist_ok=True)
        gin_file = os.path.join(folder, "recipe.gin")
        files.write_whole(gin_file, recipe(setting, trial))
        for seed in setting.search.fresh_seeds:
            jobs.append(Job(trial.trial_id, gin_file, seed, os.path.join(folder, f"seed_{seed}")))
    left = [job for job in jobs if not has_ended_well(job.run_dir)]
    if left:
        progress.say(f"the best {len(jobs) // len(setting.search.fresh_seeds)} on fresh seeds: {len(left)} runs")

    def in_turn(index: int):
        for number, job in [*enumerate(left, 1)][index :: max(1, workers)]:
            name = f"fresh run {number} of {len(left)}, trial {job.trial_id} on seed {job.seed}"
            progress.say(f"{name}: running")
            progress.begin(job.run_dir, f"trial {job.trial_id} on seed {job.seed}")
            try:
                scores = group.call(_train, setting.arguments, job, environment=gpu(index) if workers else {})
                said = ", ".join(f"{each} {scores[each]:.4g}" for each in setting.search.directions)
            except ValueError as error:  # recorded, as of a trial
                said = f"failed: {error}"
            except ChildProcessError as error:
                said = f"it ended with {error}"
                record_error(job.run_dir, said)
            progress.end(job.run_dir)
            progress.say(f"{name}: {said}")

    with futures.ThreadPoolExecutor(max(1, workers)) as pool, contextlib.closing(group):
        list(pool.map(in_turn, range(max(1, workers))))
    return jobs


def _train(arguments: tuple, job: Job) -> Scores:
    startup.import_tensorflow()
    setting = Setting(*arguments)
    return train(
        setting.search.objective_of,
        partial(config.load, [job.gin_file], [f"train.seed = {job.seed}"], setting.allow_import),
        job.run_dir,
    )
