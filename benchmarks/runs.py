"""Runs of the training command whose scores are kept as JSON lines in results/, and Markdown tables of them."""

import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import zlib

import recorded
from absl import flags

from bms_tf.studies import formats
from bms_tf.studies.table import Cell

flags.DEFINE_integer("jobs", 1, "How many runs at a time.", lower_bound=1)
flags.DEFINE_string("keep", None, "Where the run folders stay; if not given they do not.")
FLAGS = flags.FLAGS

ROOT = pathlib.Path(__file__).parent.parent
SHOWN = (  # the scores of a table
    "modes",
    "hq_percent",
    "mode_kl",
    "std_ratio_min",
    "std_ratio_median",
    "std_ratio_max",
    "minor_axis_ratio_median",
    "energy_distance",
)


def train(job, files, run_dir):
    """`job` with the command and the scores, seconds and operative gin of one run of it, or with its error."""
    command = ["-m", "bms_tf.train", f"--seed={job['seed']}", *(f"--gin_file={file}" for file in files)]
    command += [f"--gin_param={name} = {value}" for name, value in job["params"].items()]
    begun = time.monotonic()
    result = subprocess.run(
        [sys.executable, *command, f"--run_dir={run_dir}"], cwd=ROOT, capture_output=True, text=True
    )
    row = {**job, "command": shlex.join(["python", *command]), "seconds": round(time.monotonic() - begun)}
    if result.returncode < 0:
        raise ChildProcessError(f"signal {-result.returncode} ended {row['command']}")
    if result.returncode:
        return {**row, "error": result.stderr.strip().splitlines()[-1]}
    run_dir = pathlib.Path(run_dir)
    scores = json.loads((run_dir / "scores.json").read_text())
    operative = (run_dir / "operative.gin").read_text().splitlines()
    return {**row, **scores, "operative": [line for line in operative if line and not line.startswith("#")]}


def folder(job):
    """A name for the run folder of a job."""
    told = [str(value) for key, value in job.items() if key != "params"]
    return "_".join(told).replace(" ", "_") + f"_{zlib.crc32(json.dumps(job['params'], sort_keys=True).encode()):08x}"


def run_all(name, jobs, files):
    """Runs those of `jobs` that `results/<name>.jsonl` lacks, with the gin files `files(job)`, and appends them to it.

    A job is a dictionary with `seed` and `params`; what else it holds tells it from others.
    """
    recorded.RESULTS.mkdir(exist_ok=True)
    path = recorded.RESULTS / f"{name}.jsonl"
    done = recorded.read(name)
    left = [job for job in jobs if not recorded.those(done, job)]
    print(f"{len(left)} of {len(jobs)} runs are left")
    with concurrent.futures.ThreadPoolExecutor(FLAGS.jobs) as pool, tempfile.TemporaryDirectory() as scratch:
        kept = pathlib.Path(FLAGS.keep or scratch)
        futures = [pool.submit(train, job, files(job), kept / folder(job)) for job in left]
        for future in concurrent.futures.as_completed(futures):
            row = future.result()
            with open(path, "a") as file:
                file.write(json.dumps(row) + "\n")
            scores = row.get("samples", {})
            shown = row.get("error") or ", ".join(f"{score} {recorded.number(scores[score]):.4g}" for score in SHOWN)
            print(*(row[name] for name in left[0]), f"{row['seconds']} s:", shown, flush=True)


def table(title, rows, columns):
    """A Markdown table; each row is (cells, rows of the same setting with other seeds)."""
    labels = [*columns, "seeds", *map(formats.title, SHOWN)]
    print(f"\n{title}\n\n| {' | '.join(labels)} |\n|{' --- |' * len(labels)}")
    for cells, runs in rows:
        values = {score: tuple(recorded.number(run["samples"][score]) for run in runs) for score in SHOWN}
        shown = [formats.cell(score, Cell(of_seeds)) for score, of_seeds in values.items()]
        seeds = ", ".join(str(run["seed"]) for run in runs)
        print(f"| {' | '.join(map(str, cells))} | {seeds} | {' | '.join(shown)} |")
