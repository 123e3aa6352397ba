"""What a study costs on this machine, measured before it starts: python -m bms_tf.studies.compute FOLDER MODULE...

`python -m bms_tf.reproduce` starts it as a process of its own, since TensorFlow gives a GPU's memory back only at a
process's end.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from bms_tf.core import command, errors, files, startup, training
from bms_tf.core.keras import keras
from bms_tf.studies.folder import Folder
from bms_tf.studies.plan import Pair, left
from bms_tf.studies.study import Study
from bms_tf.studies.table import check_scores
from bms_tf.studies.worker import threads

STEPS = 20  # that are timed, but at least three executions of the compiled function


def seconds(folder: Folder) -> dict[Pair, float]:
    """How long a run of each method on each data set takes, in seconds.

    It is the mean of the recorded runs or, without any, what was measured. Pairs that have neither are absent.
    """
    path, done = folder.file("compute.json"), folder.done()
    result = {}
    if os.path.exists(path):
        with open(path) as file:
            result = {(row["data"], row["method"]): row["seconds"] for row in json.load(file)}
    for data, method in folder.pairs():
        rows = [row for job, row in done.items() if (job.data, job.method) == (data, method) and "samples" in row]
        if rows:
            result[data, method] = float(np.mean([row["seconds"] for row in rows]))
    return result


def measure_all(folder: Folder, environment: Mapping[str, str]):
    """Measures in another process what `seconds` does not know, and keeps it.

    Raises ValueError for data that is not there, a recipe that cannot be built, and a column that no metric gives.
    """
    unknown = set(folder.pairs()) - seconds(folder).keys()
    if not unknown:
        return
    print(f"timing a few steps of the study's runs, of {len(unknown)} kinds, to say what it takes", flush=True)
    arguments = [sys.executable, "-m", "bms_tf.studies.compute", folder.path, *folder.allow_import]
    result = subprocess.run(arguments, env=environment, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        raise ValueError(command.last_words(result.stderr, result.returncode))


def measure(folder: Folder, data: str, method: str) -> float:
    """The seconds that a run would train in this process, without its scores, from the time of a few steps.

    On a CPU it is processor time, as if nothing else were running.
    """
    folder.load(data, method, {})
    run = training.new_run()
    at_once = run.recipe.steps_per_execution
    executions = max(3, -(-STEPS // at_once))
    clock = time.monotonic if tf.config.list_physical_devices("GPU") else _processor_time
    with errors.in_one_line():
        run.check_data()
        if data not in folder.study.evaluations and method == folder.study.methods_on(data)[0].name:
            check_scores(folder.study.columns_of(data), run.real_scores(), data)
        clocks = []
        note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: clocks.append(clock()))
        run.fit(0, at_once * (1 + executions), [note])
    # After the first execution, which traces, and whatever fit makes anew: data takes as long as many steps.
    return float(np.median(np.diff(clocks)) / at_once * run.steps)


def _processor_time() -> float:
    return time.process_time() / threads()


def stated(folder: Folder, jobs: int) -> str:
    """Says how many runs are left, and how long they take with so many processes."""
    each, todo = seconds(folder), left(folder.study, folder.done())
    total = sum(each[pair] * count for pair, count in todo.items())
    lines = [
        f"{sum(todo.values())} runs are left, {len(folder.done())} are done; about {_in_words(total / jobs)} with "
        f"{jobs} at a time on this machine, if it does nothing else"
    ]
    for (data, method), count in todo.items():
        if count:
            lines.append(f"  {data}, {method}: {count} runs of {_in_words(each[data, method])}")
    return "\n".join(lines)


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


def elsewhere(study: Study) -> str:
    """Says how long all of a study takes on the hardware that its file names; "" where it names none."""
    if not study.hours:
        return ""
    todo = left(study, {})
    hours = sum(study.hours[data] * count for (data, _), count in todo.items() if data in study.hours)
    return f"{sum(todo.values())} runs, about {hours:.0f} hours on {study.hardware} (estimated)"


def main(path: str, *allow_import: str):
    folder = Folder(path, allow_import)
    known = seconds(folder)
    for data, method in folder.pairs():
        if (data, method) not in known:
            known[data, method] = measure(folder, data, method)
            rows = [{"data": d, "method": m, "seconds": value} for (d, m), value in known.items()]
            with folder.locked(f"noting times in {folder.path}"):
                files.write_whole(folder.file("compute.json"), json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    startup.import_tensorflow()
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"error: {command.one_line(error)}")
