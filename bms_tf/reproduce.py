"""Makes a table of the papers again, ours beside the published: python -m bms_tf.reproduce --study=game"""

import contextlib
import json
import operator
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading

from absl import flags

from bms_tf.core import command

PARTS = operator.itemgetter("name", "folder", "says", "runs")  # of what a worker tells
BAR = 48  # characters of a run's name ahead of its bar
EXAMPLE = "python -m bms_tf.reproduce --study=game --jobs=2"

STUDY = flags.DEFINE_string("study", None, "A shipped study, as --list names it, or a gin file of your own.")
STUDY_DIR = flags.DEFINE_string(
    "study_dir", None, "The study's folder; a study in it is continued. Default: runs/study_NAME."
)
JOBS = flags.DEFINE_integer("jobs", 1, "How many runs at a time; the processor's cores are shared out.", lower_bound=1)
# `train` has two flags of the same names; a program may import both.
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Say what is left and what it costs; run nothing.", allow_override=True)
TABLE = flags.DEFINE_bool("table", False, "Only print and write the table of what is there.")
ON_CPU = flags.DEFINE_bool("on_cpu", False, "Start a study that is meant for a GPU on a CPU.")
RETRY = flags.DEFINE_bool("retry", False, "Run again what has failed.")
ALLOW_IMPORT = flags.DEFINE_multi_string(
    "allow_import", [], "A module of your own that gin files may import.", allow_override=True
)
LIST = flags.DEFINE_bool("list", False, "Print every study that is shipped.", allow_override=True)


def main(_):
    """Parses the flags, runs what is missing, and prints and writes the table."""
    from bms_tf.core import gin_text

    if LIST.value:
        studies = gin_text.shipped()["gin/studies"].items()
        print(command.listing({os.path.splitext(os.path.basename(name))[0]: line for name, line in studies}))
        return
    if RETRY.value and (DRY_RUN.value or TABLE.value):
        raise ValueError("--retry forgets failed runs to run them again; --dry_run and --table run nothing")
    if not STUDY.value:
        raise ValueError(f"--study is missing; for example: {EXAMPLE}")
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.studies.folder import Folder

    name = os.path.splitext(os.path.basename(STUDY.value))[0]
    path = STUDY_DIR.value or os.path.join("runs", f"study_{name}")
    with contextlib.ExitStack() as stack:
        if DRY_RUN.value and not os.path.exists(path):
            path = stack.enter_context(tempfile.TemporaryDirectory())  # what is measured is forgotten
        folder = Folder.enter(path, file_of(STUDY.value), ALLOW_IMPORT.value)
        if RETRY.value:
            print(f"{folder.forget_failed()} failed runs are forgotten")
        if not TABLE.value:
            run_missing(name, folder)
        if not DRY_RUN.value:
            write(folder)


def write(folder):
    """Prints the table, and writes it and the figures."""
    from bms_tf.core import files
    from bms_tf.studies import figures, formats, plan, table

    study, done = folder.study, folder.done()
    if not done:
        print(f"{folder.path} has no finished run so far, and no table")
        return
    lines = table.rows(study, done.values())
    notes = formats.notes(study, done.values(), plan.left(study, done))
    os.makedirs(folder.file("figures"), exist_ok=True)
    folders = {job: folder.run_dir(job) for job in done}
    with folder.locked(f"writing the table of {folder.path}"):  # commands that share a study end at about the same time
        for ending, text in formats.written(study, lines, notes).items():
            files.write_whole(folder.file(f"table.{ending}"), text)
            if ending == "txt":
                print("\n" + text, end="")
        for name, figure in figures.drawn(study, list(done.values()), folders).items():
            figure.savefig(folder.file(os.path.join("figures", f"{name}.png")), dpi=110)
    print(
        f"{folder.file('table.md')}, .csv and .tex; figures: {folder.file('figures')}; a line for each run: "
        f"{folder.file('runs.jsonl')}"
    )


def file_of(study):
    """The gin file of a shipped study's name, or of one's own."""
    from bms_tf.core import errors, gin_text

    if study.endswith(".gin"):
        return study
    names = [os.path.splitext(os.path.basename(file))[0] for file in gin_text.shipped()["gin/studies"]]
    if study not in names:
        hint = errors.nearest(study, names, likeness=0.7) or f"; there are {', '.join(names)}"
        raise ValueError(f"--study is {study!r}{hint}")
    return f"gin/studies/{study}.gin"


def run_missing(name, folder):
    """Says what is left and its cost, and runs it. Raises ValueError where data, a metric or a GPU is missing."""
    import tensorflow as tf

    from bms_tf.studies import compute, evaluating, worker

    environment = os.environ | worker.limits(max(1, (os.cpu_count() or 1) // JOBS.value))
    cost = compute.elsewhere(folder.study)
    if folder.study.gpu and not tf.config.list_physical_devices("GPU") and not ON_CPU.value:
        raise ValueError(f"{name} is meant for a GPU, and there is none: {cost}; --on_cpu starts it nevertheless")
    try:
        evaluating.check([flags for calls in folder.study.evaluations.values() for flags in calls])
        compute.measure_all(folder, environment)
    except ValueError as error:
        raise ValueError(f"{name} cannot start: {error}" + (f"; in all it is {cost}" if cost else "")) from error
    print(compute.stated(folder, JOBS.value), flush=True)
    if not DRY_RUN.value:
        run_all(folder, JOBS.value, environment)


def run_all(folder, jobs, environment):
    """Runs what is missing in so many processes, a GPU each in turn. Raises ValueError where one of them dies."""
    from bms_tf.tuning.progress import Progress
    from bms_tf.tuning.workers import gpu

    arguments = [sys.executable, "-m", "bms_tf.studies.worker", folder.path, *folder.allow_import]
    # In sessions of their own, as Ctrl-C would otherwise reach them by itself, and a run that gets a second signal does
    # not save.
    own = {"stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    workers = [subprocess.Popen(arguments, env=environment | gpu(index), **own) for index in range(jobs)]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with Progress() as progress:
        readers = [threading.Thread(target=follow, args=(process.stdout, progress)) for process in workers]
        for reader in readers:
            reader.start()
        try:
            codes = [process.wait() for process in workers]
        except BaseException:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            for process in workers:
                process.terminate()
            for process in workers:
                process.wait()
            progress.say("stopped; the same command continues the study")
            raise
        finally:
            for reader in readers:
                reader.join()
    if any(codes):
        raise ValueError(f"workers ended with {', '.join(map(str, codes))}; the same command continues the study")


def follow(events, progress):
    """Shows what a worker tells: a line when a run begins or ends, and a bar in between."""
    for line in events:
        # A reader that ended would leave the worker at a full pipe, so that it outlives even the terminal.
        with contextlib.suppress(BrokenPipeError):
            try:
                name, folder, says, runs = PARTS(json.loads(line))
            except (ValueError, TypeError, KeyError):  # what a library prints
                progress.say(line.rstrip())
                continue
            progress.say(f"{name}: {says}")
            if runs:
                progress.begin(folder, textwrap.shorten(name, BAR, placeholder=" ..."))
            else:
                progress.end(folder)


if __name__ == "__main__":
    command.run(main, EXAMPLE)
