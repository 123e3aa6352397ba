"""What moves the weights of the modes: from one state of a run, the recipe of the ring goes on with other terms.

    python benchmarks/mode_weights.py

The run has the full paper's S, the least realistic of the candidates, and is twice as long as the recipe. Its rate
falls to a twentieth of the first over the recipe's length, and stays there. Its last state then goes on at that rate
with each of the variants. All else is alike, so the mode KL from there on tells what moves the weights of the modes.
The lines go to benchmarks/results/mode_weights.jsonl.
"""

import json
import pathlib
import shutil

import recorded
import training
from absl import flags

from bms_tf.core import command

EXAMPLE = "python benchmarks/mode_weights.py --seed=15"
SEED = flags.DEFINE_integer("seed", 0, "Of all runs.", lower_bound=0)
UPDATES = flags.DEFINE_integer("updates", 15000, "Generator updates until the rate is at its end.", lower_bound=1)
MORE = flags.DEFINE_integer("more", 6000, "Generator updates of each variant.", lower_bound=1)
EVERY = flags.DEFINE_integer("every", 1500, "Generator updates from score to score.", lower_bound=1)
KEEP = flags.DEFINE_string("keep", "runs/mode_weights", "Where the runs are; what is there is not trained again.")

LEAST = {"BMSVAEGAN.synthetic_likelihood": "@LeastRealistic()"}
VARIANTS = {
    "least realistic": LEAST,
    "least realistic, a quarter of it": {**LEAST, "BMSVAEGAN.alpha": 0.25},
    "least realistic, R1 and R2 four times": {
        **LEAST,
        "zero_centered_penalty.r1": 0.004,
        "zero_centered_penalty.r2": 0.004,
    },
    "least realistic, no code term": {**LEAST, "BMSVAEGAN.code_weight": 0.0},
    "mean": {"BMSVAEGAN.synthetic_likelihood": "@Mean()"},
    "none": {"BMSVAEGAN.alpha": 0.0},
}


def train(folder, params, updates):
    """Trains with the recipe and `params`, or goes on where the folder has a state."""
    params = {
        **params,
        "updates": updates,
        "linear_decay.horizon": UPDATES.value,
        "linear_decay.end": 0.05,
        "train.evaluate_every": EVERY.value,
        "train.measuring_share": 1.0,
        "train.pictures": [],
    }
    training.train(folder, ["gin/ring.gin"], params, SEED.value)


def scores(folder, after):
    """Of each scored step behind `after`: the step, mode KL, HQ and energy distance."""
    names = ("step", "mode_kl", "hq_percent", "energy_distance")
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{name: row[name] for name in names} for row in rows if row["step"] > after and "mode_kl" in row]


def main(_):
    """Trains what is missing, and prints a table of mode KL."""
    begun, keep = 2 * UPDATES.value, pathlib.Path(KEEP.value)
    common = {"data": "ring", "seed": SEED.value, "updates": begun, "rate_until": UPDATES.value, "more": MORE.value}
    first = keep / f"{SEED.value}_{begun}"
    known = recorded.read("mode_weights")
    left = [variant for variant in VARIANTS if not recorded.those(known, {**common, "variant": variant})]
    if left:
        train(first, LEAST, begun)
    for variant in left:
        params = VARIANTS[variant]
        folder = keep / f"{SEED.value}_{begun}_{''.join(c for c in variant if c.isalnum())}"
        if not folder.exists():
            folder.mkdir()
            shutil.copytree(first / "checkpoints", folder / "checkpoints")  # without config.gin: the settings change
            shutil.copy(first / "metrics.jsonl", folder)
        train(folder, params, begun + MORE.value)
        row = {
            **common,
            "variant": variant,
            "params": params,
            "before": scores(first, 0),
            "after": scores(folder, begun),
        }
        recorded.write("mode_weights", [*recorded.read("mode_weights"), row])
    rows = recorded.those(recorded.read("mode_weights"), common)
    steps = [score["step"] for score in rows[0]["after"]]
    print(f"\n{common}; mode KL by update\n\n| S | {' | '.join(map(str, [begun, *steps]))} |")
    print(f"|{' --- |' * (2 + len(steps))}")
    for row in rows:
        cells = [f"{score['mode_kl']:.3f}" for score in (row["before"][-1], *row["after"])]
        print(f"| {row['variant']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    command.run(main, EXAMPLE)
