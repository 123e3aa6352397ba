"""The best few on seeds that the search has not seen, since the best of many noisy trials is not the best setting."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent import futures
from functools import partial
from typing import NamedTuple

from keras_tuner.engine.trial import Trial

from bms_tf.core import config, files
from bms_tf.core.command import last_words
from bms_tf.tuning.search import Setting, record_error, train
from bms_tf.tuning.space import swept
from bms_tf.tuning.workers import gpu


class Job(NamedTuple):
    """One run of a finalist: its trial, gin file, seed and run folder."""

    trial_id: str
    gin_file: str
    seed: int
    run_dir: str


def finalists(setting: Setting) -> list[Trial]:
    """The best trials, one for each combination of values: Hyperband has several of one."""
    oracle, best = setting.search.oracle, {}
    for trial in oracle.get_best_trials(len(oracle.trials)):
        if trial.status == "COMPLETED":
            best.setdefault(json.dumps(swept(trial.hyperparameters.values), sort_keys=True), trial)
    return list(best.values())[: setting.search.finalists]


def recipe(setting: Setting, trial: Trial) -> str:
    """The gin text of the trial's setting, which `train` takes as it is, with the recipe's own seed."""
    setting.configure(setting.search.bindings(trial.hyperparameters.values))
    return config.as_text()


def run(setting: Setting, workers: int) -> list[Job]:
    """Trains every finalist with every fresh seed, in this process or in so many others; returns all of these runs."""
    jobs = []
    for trial in finalists(setting):
        folder = os.path.join(setting.folder, "fresh", trial.trial_id)
        os.makedirs(folder, exist_ok=True)
        gin_file = os.path.join(folder, "recipe.gin")
        files.write_whole(gin_file, recipe(setting, trial))
        for seed in setting.search.fresh_seeds:
            jobs.append(Job(trial.trial_id, gin_file, seed, os.path.join(folder, f"seed_{seed}")))
    left = [job for job in jobs if not os.path.exists(os.path.join(job.run_dir, "scores.json"))]
    if left:
        print(f"the best {len(jobs) // len(setting.search.fresh_seeds)} on fresh seeds: {len(left)} runs", flush=True)
    if not workers:
        _here(setting, left)
    else:
        with futures.ThreadPoolExecutor(workers) as pool:  # each keeps to one GPU
            list(pool.map(lambda index: _elsewhere(setting, left[index::workers], index), range(workers)))
    return jobs


def _here(setting: Setting, jobs: Sequence[Job]):
    for job in jobs:
        load = partial(config.load, [job.gin_file], [f"train.seed = {job.seed}"], setting.allow_import)
        try:
            train(setting.search.objective_of, load, job.run_dir)
        except Exception:  # train has recorded it, as of a trial
            continue


def _elsewhere(setting: Setting, jobs: Sequence[Job], index: int):
    for job in jobs:
        flags = [f"--gin_file={job.gin_file}", f"--seed={job.seed}", f"--run_dir={job.run_dir}"]
        flags += [f"--allow_import={module}" for module in setting.allow_import]
        result = subprocess.run(
            [sys.executable, "-m", "bms_tf.train", *flags], env=os.environ | gpu(index), capture_output=True, text=True
        )
        if result.returncode:
            record_error(job.run_dir, last_words(result.stderr, result.returncode))
