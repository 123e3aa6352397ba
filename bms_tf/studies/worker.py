"""A process that runs what a study lacks, until nothing is missing: python -m bms_tf.studies.worker FOLDER MODULE...

`python -m bms_tf.reproduce` starts as many as it is told. Each takes the first run that nobody has. When a run begins
and when it ends, a line of JSON on stdout has what there is to say, and the run's folder. The modules are the user's
own, which gin files may import.
"""

import contextlib
import datetime
import json
import os
import platform
import signal
import sys
import time
from functools import partial
from pathlib import Path

import bms_tf
from bms_tf.core import command, startup

WAIT = 2.0  # seconds between two looks for a run, while other processes have all that are left
THREADS = "TF_NUM_INTRAOP_THREADS"


def work(path: str, *allow_import: str):
    """Runs the missing runs of the study in the folder `path` that no other process has, until none is missing."""
    parent = os.getppid()  # at once: it may end while TensorFlow is imported
    tf = startup.import_tensorflow()
    # TensorFlow counts the tracings of a method over all models of a process. Here every run has a model of its own.
    tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())
    from bms_tf.studies.folder import Folder
    from bms_tf.studies.plan import plan

    folder = Folder(path, allow_import)
    while os.getppid() == parent:  # a worker ends after its run when its parent has died
        done = folder.done()
        left = [job for job in plan(folder.study, done) if job not in done]
        if not left:
            return
        if not any(run(folder, job, len(left)) for job in left):
            time.sleep(WAIT)


def run(folder, job, left) -> bool:
    """Runs `job` and records it, unless another process has it. Returns whether it did. `left`: how many are left."""
    from bms_tf.studies.folder import row_of
    from bms_tf.studies.table import named, scored

    with folder.claimed(job) as ours:
        if ours:
            told = {"name": named(job), "folder": folder.run_dir(job)}
            tell(**told, says=f"running, one of {left} that are left", runs=True)
            finish(folder, job)
            row = row_of(job, folder.run_dir(job))
            folder.record(row | {"ended": datetime.date.today().isoformat(), "machine": machine()})
            what = row.get("error") or scored(row, folder.study.columns_of(job.data))
            tell(**told, says=what, runs=False)
    return ours


def tell(**event):
    """Writes what happens for the process that started this one, as long as it is there."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(event), flush=True)


def finish(folder, job):
    """Trains `job` in its folder and evaluates it, as far as that is not done. An error is kept in the folder."""
    from bms_tf.studies import evaluating
    from bms_tf.tuning import search

    run_dir, evaluations = folder.run_dir(job), folder.study.evaluations.get(job.data)
    Path(run_dir, "error.txt").unlink(missing_ok=True)  # of an evaluation, which is repeated
    try:
        with folder.counting_deaths(job):
            if not os.path.exists(os.path.join(run_dir, "scores.json")):
                search.train(dict, partial(folder.configure, job), run_dir)
            if evaluations and not evaluating.scores(run_dir):
                evaluating.evaluate(evaluations, run_dir, job.seed, folder.allow_import)
    except Exception as error:
        search.record_error(run_dir, command.one_line(error))


def limits(threads: int) -> dict[str, str]:
    """The environment variables by which a process keeps to so many threads."""
    names = (THREADS, "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    # An evaluation may share a GPU with the process that starts it.
    return {name: str(threads) for name in names} | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def threads() -> int:
    """How many threads this process keeps to."""
    return int(os.environ.get(THREADS) or os.cpu_count() or 1)


def machine() -> dict:
    """The versions and the hardware of this process, for the line of a run."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return {
        "bms_tf": bms_tf.__version__,
        "tensorflow": tf.__version__,
        "processor": _processor(),
        "threads": threads(),
        "gpus": [tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU") for gpu in gpus],
    }


def _processor() -> str:
    if os.path.exists("/proc/cpuinfo"):  # on Linux, platform has no name for it
        with open("/proc/cpuinfo") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown")
    return platform.processor()


def main(argv):
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # a run sets its own, and saves first
    work(*argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv))
