"""The 2-D scores of the README: the settings of T = 1 and T = 10 are chosen from one space, then run on fresh seeds.

    python benchmarks/scores_2d.py tune      every setting of the space, T = 1 and T = 10, ring and grid, on seed 100
    python benchmarks/scores_2d.py run       the shipped recipes on seeds 0, 1, 2
    python benchmarks/scores_2d.py table     the tables, from benchmarks/results/

Runs that are in benchmarks/results/ already are not run again. `--jobs` runs share the cores.
"""

import concurrent.futures
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

flags.DEFINE_integer("jobs", 1, "How many runs at a time.", lower_bound=1)
FLAGS = flags.FLAGS

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
TUNING_STEPS = 10_000
# What is swept, for T = 1 and T = 10 alike. The ring has no spectral normalization, whose bound is too weak for modes
# as narrow as its own; on the grid the bound is the discriminator's input gain.
SPACE = {
    "ring": (
        ("adam.learning_rate", "BMSVAEGAN.lambda_"),
        [(2e-3, 1.0), (2e-3, 2.0), (2e-3, 4.0), (2e-3, 8.0), (4e-3, 1.0), (4e-3, 2.0), (4e-3, 4.0)],
    ),
    "grid": (
        ("discriminator/mlp.gain", "BMSVAEGAN.lambda_"),
        [(1.0, 0.1), (1.0, 0.3), (3.0, 0.1), (3.0, 0.3), (3.0, 1.0), (10.0, 1.0)],
    ),
}
# The better of the space, for T = 10 in the recipes themselves.
REPORTED = [
    ("ring", {}),
    ("ring", {"BMSVAEGAN.T": 1, "BMSVAEGAN.lambda_": 2.0}),
    ("grid", {}),
    ("grid", {"BMSVAEGAN.T": 1, "BMSVAEGAN.lambda_": 0.1}),
]
SHOWN = ["modes", "hq_percent", "mode_kl", "std_ratio_median", "energy_distance"]


def train(recipe, seed, params, run_dir):
    """The scores and seconds of one run of the command."""
    command = [sys.executable, "-m", "bms_tf.train", f"--gin_file=gin/{recipe}.gin", f"--seed={seed}"]
    command += [f"--run_dir={run_dir}", *(f"--gin_param={name} = {value}" for name, value in params.items())]
    begun = time.monotonic()
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    row = {"recipe": recipe, "seed": seed, "params": params, "seconds": round(time.monotonic() - begun)}
    if result.returncode:
        return {**row, "error": result.stderr.strip().splitlines()[-1]}
    return {**row, **json.loads((pathlib.Path(run_dir) / "scores.json").read_text())}


def run_all(name, jobs):
    """Runs those of `jobs`, (recipe, seed, params), that `results/<name>.jsonl` lacks, and appends them to it."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.jsonl"
    done = {key(row["recipe"], row["seed"], row["params"]) for row in read(path)}
    left = [job for job in jobs if key(*job) not in done]
    print(f"{len(left)} of {len(jobs)} runs are left")
    with concurrent.futures.ThreadPoolExecutor(FLAGS.jobs) as pool, tempfile.TemporaryDirectory() as scratch:
        futures = [pool.submit(train, *job, f"{scratch}/{i}") for i, job in enumerate(left)]
        for future in concurrent.futures.as_completed(futures):
            row = future.result()
            with open(path, "a") as file:
                file.write(json.dumps(row) + "\n")
            scores = row.get("samples", {})
            shown = row.get("error") or ", ".join(f"{score} {scores[score]:.4g}" for score in SHOWN)
            print(row["recipe"], row["seed"], row["params"], f"{row['seconds']} s:", shown, flush=True)


def key(recipe, seed, params):
    return recipe, seed, tuple(sorted(params.items()))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def space(recipe):
    """The declared settings, each for T = 1 and for T = 10."""
    names, settings = SPACE[recipe]
    for many, values in itertools.product((1, 10), settings):
        yield {"BMSVAEGAN.T": many, **dict(zip(names, values))}


def table(name, rows, columns):
    """A Markdown table; each row is (cells, runs of `scores.json`)."""
    print(f"\n{name}\n\n| {' | '.join(columns)} | seeds | {' | '.join(SHOWN)} | seconds a run |")
    print("|" + " --- |" * (len(columns) + len(SHOWN) + 2))
    for cells, runs in rows:
        shown = []
        for score in SHOWN:
            values = [run["samples"][score] for run in runs]
            deviation = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
            shown.append(f"{statistics.fmean(values):.4g}{deviation}")
        seeds = ", ".join(str(run["seed"]) for run in runs)
        seconds = round(statistics.fmean(run["seconds"] for run in runs))
        print(f"| {' | '.join(map(str, cells))} | {seeds} | {' | '.join(shown)} | {seconds} |")


def main(argv):
    """Runs what is asked for."""
    what = argv[1] if len(argv) == 2 else ""
    if what == "tune":
        short = {"train.generator_updates": TUNING_STEPS, "linear_decay.horizon": TUNING_STEPS}
        run_all("tuning_2d", [(r, 100, {**short, **p}) for r in ("ring", "grid") for p in space(r)])
    elif what == "run":
        jobs = [(recipe, seed, params) for seed in (0, 1, 2) for recipe, params in REPORTED]
        run_all("scores_2d", jobs)
    elif what == "table":
        tuning = [row for row in read(RESULTS / "tuning_2d.jsonl") if "samples" in row]
        for recipe, (swept, _) in SPACE.items():
            names = ("BMSVAEGAN.T", *swept)
            rows = [(tuple(r["params"][name] for name in names), [r]) for r in tuning if r["recipe"] == recipe]
            table(f"Tuning, {recipe}: seed 100, {TUNING_STEPS} generator updates", rows, names)
        final = [row for row in read(RESULTS / "scores_2d.jsonl") if "samples" in row]
        groups = {}
        for row in final:
            groups.setdefault((row["recipe"], json.dumps(row["params"])), []).append(row)
        table("Scores", [(group, runs) for group, runs in groups.items()], ("recipe", "changed"))
        for recipe in sorted({row["recipe"] for row in final}):
            real = next(row for row in final if row["recipe"] == recipe)
            table(f"Real data, {recipe}", [((recipe,), [{**real, "samples": real["data"]}])], ("data",))
    else:
        raise app.UsageError("say tune, run or table")


if __name__ == "__main__":
    app.run(main)
