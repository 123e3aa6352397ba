"""The 2-D scores of the README: the settings of T = 1 and T = 10 are chosen from one space, then run on fresh seeds.

    python benchmarks/scores_2d.py tune      every setting of the space, T = 1 and T = 10, ring and grid, on seed 100
    python benchmarks/scores_2d.py run       the chosen settings on seeds 0, 1, 2; others on seed 0 alone
    python benchmarks/scores_2d.py table     the tables, from benchmarks/results/

Runs that are in benchmarks/results/ already are not run again. `--jobs` runs share the cores.
"""

import itertools
import json

import recorded
import runs
from absl import app

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
# The headline of each T, a median std ratio of at least 0.5 in tuning (below it a mode is a point), and of each T the
# best energy distance in tuning. {} is the recipe itself.
REPORTED = [
    ("ring", {}),
    ("ring", {"BMSVAEGAN.T": 1, "BMSVAEGAN.lambda_": 2.0}),
    ("grid", {}),
    ("grid", {"BMSVAEGAN.T": 1, "BMSVAEGAN.lambda_": 0.1}),
    ("ring", {"BMSVAEGAN.lambda_": 4.0}),
    ("ring", {"BMSVAEGAN.T": 1, "BMSVAEGAN.lambda_": 8.0}),
]
# Seed 0 alone: the grid's best energy distance for T = 10, and what more steps and wider networks give.
WIDER = {"generator/mlp.hidden": [256, 256, 256], "discriminator/mlp.hidden": [256, 256]}
ONCE = [
    ("ring", {"train.generator_updates": 60_000, "linear_decay.horizon": 60_000}),
    ("grid", {"BMSVAEGAN.lambda_": 1.0}),
    ("grid", WIDER),
    ("ring", WIDER),
]


def space(recipe):
    """The declared settings, each for T = 1 and for T = 10."""
    names, settings = SPACE[recipe]
    for many, values in itertools.product((1, 10), settings):
        yield {"BMSVAEGAN.T": many, **dict(zip(names, values))}


def run_all(name, jobs):
    """`jobs`: (recipe, seed, params)."""
    jobs = [{"recipe": recipe, "seed": seed, "params": params} for recipe, seed, params in jobs]
    runs.run_all(name, jobs, lambda job: [f"gin/{job['recipe']}.gin"])


def main(argv):
    """Runs what is asked for."""
    what = argv[1] if len(argv) == 2 else ""
    if what == "tune":
        short = {"train.generator_updates": TUNING_STEPS, "linear_decay.horizon": TUNING_STEPS}
        run_all("tuning_2d", [(r, 100, {**short, **p}) for r in ("ring", "grid") for p in space(r)])
    elif what == "run":
        run_all("scores_2d", [(recipe, seed, params) for seed in (0, 1, 2) for recipe, params in REPORTED])
        run_all("scores_2d", [(recipe, 0, params) for recipe, params in ONCE])
    elif what == "table":
        tuning = [row for row in recorded.read("tuning_2d") if "samples" in row]
        for recipe, (swept, _) in SPACE.items():
            names = ("BMSVAEGAN.T", *swept)
            rows = [(tuple(r["params"][name] for name in names), [r]) for r in tuning if r["recipe"] == recipe]
            runs.table(f"Tuning, {recipe}: seed 100, {TUNING_STEPS} generator updates", rows, names)
        final = [row for row in recorded.read("scores_2d") if "samples" in row]
        groups = {}
        for row in final:
            groups.setdefault((row["recipe"], json.dumps(row["params"])), []).append(row)
        runs.table("Scores", [(group, seeds) for group, seeds in groups.items()], ("recipe", "changed"))
        for recipe in sorted({row["recipe"] for row in final}):
            real = next(row for row in final if row["recipe"] == recipe)
            runs.table(f"Real data, {recipe}", [((recipe,), [{**real, "samples": real["data"]}])], ("data",))
    else:
        raise app.UsageError("say tune, run or table")


if __name__ == "__main__":
    app.run(main)
