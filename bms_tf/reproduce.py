"""Makes a table of the papers again, ours beside the published: python -m bms_tf.reproduce --study=game"""

import os
import subprocess
import sys

from absl import flags

from bms_tf.core import command

EXAMPLE = "python -m bms_tf.reproduce --study=game --jobs=2"

STUDY = flags.DEFINE_string("study", None, "A shipped study, as --list names it, or a gin file of your own.")
STUDY_DIR = flags.DEFINE_string("study_dir", None, "Its folder; one there is continued. Default: runs/study_NAME.")
JOBS = flags.DEFINE_integer("jobs", 1, "How many runs at a time; the processor's cores are shared out.", lower_bound=1)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Say what is left and what it costs; run nothing.")
TABLE = flags.DEFINE_bool("table", False, "Only print and write the table of what is there.")
ON_CPU = flags.DEFINE_bool("on_cpu", False, "Start a study that is meant for a GPU without one.")
RETRY = flags.DEFINE_bool("retry", False, "Run those again that failed.")
LIST = flags.DEFINE_bool("list", False, "Print every study that is shipped.")


def main(_):
    """Parses the flags, runs what is missing, and prints and writes the table."""
    from bms_tf.core import config

    if LIST.value:
        for name, line in config.shipped()["gin/studies"].items():
            print(f"{os.path.splitext(os.path.basename(name))[0]:16}{line}")
        return
    if not STUDY.value:
        raise ValueError(f"--study is missing; for example: {EXAMPLE}")
    from bms_tf.studies import worker

    threads = max(1, (os.cpu_count() or 1) // JOBS.value)
    os.environ.update(worker.limits(threads))  # what is measured here is what a worker will have
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.studies import formats, table
    from bms_tf.studies.folder import Folder

    name = os.path.splitext(os.path.basename(STUDY.value))[0]
    folder = Folder.enter(STUDY_DIR.value or os.path.join("runs", f"study_{name}"), file_of(STUDY.value))
    if RETRY.value:
        print(f"{folder.forget_failed()} failed runs are forgotten")
    if not TABLE.value:
        check_machine(name, folder)
        if DRY_RUN.value:
            return
        run_all(folder.path, JOBS.value)
    for ending, text in formats.written(folder.study, table.rows(folder.study, folder.done().values())).items():
        folder.write(f"table.{ending}", text)
        if ending == "txt":
            print("\n" + text, end="")
    print(f"{folder.file('table.md')}, .csv and .tex; a line for each run: {folder.file('runs.jsonl')}")


def file_of(study):
    """The gin file of a shipped study's name, or of one's own."""
    from bms_tf.core import config

    if study.endswith(".gin"):
        return study
    names = [os.path.splitext(os.path.basename(file))[0] for file in config.shipped()["gin/studies"]]
    if study not in names:
        hint = config.nearest(study, names) or f"; there are {', '.join(names)}"
        raise ValueError(f"--study is {study!r}{hint}")
    return f"gin/studies/{study}.gin"


def check_machine(name, folder):
    """Says what is left and its cost. Raises ValueError where data or a GPU is missing, with the cost elsewhere."""
    import tensorflow as tf

    from bms_tf.studies import compute

    cost = compute.elsewhere(folder.study)
    if folder.study.gpu and not tf.config.list_physical_devices("GPU") and not ON_CPU.value:
        raise ValueError(f"{name} is meant for a GPU, and there is none: {cost}; --on_cpu starts it nevertheless")
    try:
        print(compute.stated(folder, JOBS.value), flush=True)
    except (ValueError, OSError) as error:
        raise ValueError(f"{name} cannot start: {error}" + (f"; in all it is {cost}" if cost else "")) from error


def run_all(path, jobs):
    """Runs what is missing in so many processes, a GPU each in turn. Raises ValueError where one of them dies."""
    from bms_tf.tuning.workers import gpu

    arguments = [sys.executable, "-m", "bms_tf.studies.worker", path]
    workers = [subprocess.Popen(arguments, env=os.environ | gpu(index)) for index in range(jobs)]
    try:
        codes = [worker.wait() for worker in workers]
    except BaseException:  # Ctrl-C reaches the workers by itself, SIGTERM does not; both save first
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
        raise
    if any(codes):
        raise ValueError(f"workers ended with {', '.join(map(str, codes))}; the same command continues the study")


if __name__ == "__main__":
    command.run(main, EXAMPLE)
