"""What a study costs on this machine, measured on a few steps of every method before it starts."""

import json
import os
import time

import numpy as np

from bms_tf.core import config, training
from bms_tf.studies import plan
from bms_tf.studies.folder import Folder, recipe_file
from bms_tf.studies.study import Study

STEPS = 20  # that are timed, or as many as are executed at once

Pair = tuple[str, str]  # of a data set and a method


def measure(recipe: str) -> float:
    """Seconds that a run of this gin file trains in this process, without its scores: a few steps, times its length."""
    config.load([recipe])
    run = training.new_run()
    with config.one_line_errors():
        run.check_data()
        dataset = run.dataset("train", 0)
    with open(recipe) as file:
        at_once = config.values(file.read()).get("train.steps_per_execution", 1)
    steps = at_once * -(-STEPS // at_once)
    run.system.fit(dataset, epochs=1, steps_per_epoch=at_once, verbose=0)  # traces
    begun = time.monotonic()
    run.system.fit(dataset, epochs=1, steps_per_epoch=steps, verbose=0)
    return (time.monotonic() - begun) / steps * run.steps


def seconds(folder: Folder) -> dict[Pair, float]:
    """Seconds of a run of each method on each data set: the mean of those that are recorded, or else measured.

    What was measured is kept. Raises ValueError or OSError for a recipe that cannot be built, and for data that is not
    there.
    """
    path, done = folder.file("compute.json"), folder.done()
    measured = json.loads(open(path).read()) if os.path.exists(path) else {}
    result = {}
    for data in folder.study.data:
        for method in folder.study.methods:
            own = [
                row for job, row in done.items() if (job.data, job.method) == (data, method.name) and "samples" in row
            ]
            recipe = recipe_file(folder.path, data, method.name)
            key = os.path.basename(recipe)
            if not own and key not in measured:
                measured[key] = measure(recipe)
                training.write_whole(path, json.dumps(measured, indent=1) + "\n")
            known = [row["seconds"] / row["length"] for row in own]
            result[data, method.name] = float(np.mean(known)) if known else measured[key]
    return result


def left(study: Study, done: plan.Done) -> dict[Pair, list[int]]:
    """The lengths of the runs that are left: those that are known to be needed, and where settings are yet to be chosen
    as many as there can be, without trials beyond the edges.
    """
    lengths = {(data, method.name): [] for data in study.data for method in study.methods}
    for job in plan.plan(study, done):
        if job not in done:
            lengths[job.data, job.method].append(job.length)
    for data in study.data:
        waiting = any(job not in done for jobs in plan.trials(study, data, done).values() for job in jobs)
        for method in study.methods:
            if method.space(data) and waiting:
                lengths[data, method.name] += len(study.rule([])) * len(study.seeds) * [1]
                lengths[data, method.name] += [study.longer] * len(study.longer_seeds) if study.longer else []
    return lengths


def stated(folder: Folder, jobs: int) -> str:
    """What is left and what it takes with so many processes, for people."""
    each, todo = seconds(folder), left(folder.study, folder.done())
    runs = sum(map(len, todo.values()))
    total = sum(each[pair] * sum(lengths) for pair, lengths in todo.items())
    lines = [
        f"  {data}, {method}: {len(lengths)} runs of {each[data, method] / 60:.1f} min"
        + f", {sum(length > 1 for length in lengths)} of them longer" * any(length > 1 for length in lengths)
        for (data, method), lengths in todo.items()
        if lengths
    ]
    done = len(folder.done())
    head = f"{runs} runs are left ({done} are done): about {total / 3600 / jobs:.1f} hours with {jobs} process(es) here"
    return "\n".join([head, *lines])


def elsewhere(study: Study) -> str:
    """What all of a study takes where it is meant to run, as its file says; nothing where it says nothing."""
    if not study.hours:
        return ""
    todo = left(study, {})
    hours = sum(study.hours[data] * sum(lengths) for (data, _), lengths in todo.items() if data in study.hours)
    return f"{sum(map(len, todo.values()))} runs, about {hours:.0f} hours on {study.hardware} (estimated)"
