"""The ten methods of the published synthetic table on ring and grid, tuned alike, beside the published numbers.

    python benchmarks/published_2d.py tune --jobs=2     the declared space of each method, 9 trials, on seed 100
    python benchmarks/published_2d.py run --jobs=2      the chosen settings on seeds 0 and 1
    python benchmarks/published_2d.py table             the tables, from benchmarks/results/

All have VEEGAN's networks, 30,000 generator updates, 10,000 in the trials, Adam whose rate falls to 0, and a moving
average of the generator (published_2d.gin). Of each method the rate and one thing of its own are tuned. Two settings of
each are run on the fresh seeds: the best HQ among those whose median std ratio is at least 0.5 (below it a mode is a
point), and the best energy distance. 180 trials and up to 80 runs. What is in results/ is not run again, so that the
study can be stopped and continued. With --keep=FOLDER the run folders stay, as side_by_side.py needs them.
"""

import math
import re
from typing import NamedTuple

import recorded
import runs
from absl import app

MIXTURES = ("ring", "grid")
SETTING = ("mixture", "method", "params")  # what a trial shares with the runs of it
TUNING_SEED, SEEDS = 100, (0, 1)
RATES = (1e-3, 3e-3, 1e-2)


class Method(NamedTuple):
    system: str  # the class, and the gin file that makes it
    file: str
    own: list[dict]  # what is tuned beside the rate; a rate in it is a multiple of that rate
    ring: tuple[str, str]  # published modes and HQ %
    grid: tuple[str, str]


def each(name, *values):
    return [{name: value} for value in values]


# For methods without a weight of their own, the discriminator's rate.
METHODS = {
    "GAN": Method("GAN", "gan", each("discriminator/adam.learning_rate", 0.5, 1, 2), ("1", "99.3"), ("3.3", "0.5")),
    "ALI": Method(
        "ALI", "ali", each("joint_discriminator/adam.learning_rate", 0.5, 1, 2), ("2.8", "0.13"), ("15.8", "1.6")
    ),
    "Unrolled GAN": Method(
        "UnrolledGAN", "unrolled_gan", each("UnrolledGAN.rate", 0.03, 0.1, 0.3), ("7.6", "35.6"), ("23.6", "16")
    ),
    "VEEGAN": Method("VEEGAN", "veegan", each("VEEGAN.code_lambda", 0.1, 0.3, 1), ("8", "52.9"), ("24.6", "40")),
    "GDPP-GAN": Method(
        "GDPPGAN", "gdpp_gan", each("GDPPGAN.magnitude_weight", 1e-4, 1e-2, 1), ("8", "71.7"), ("24.8", "68.5")
    ),
    "SN-GAN": Method(
        "SNGAN",
        "sn_gan",
        each("discriminator/mlp.gain", 1, 3, 10),
        ("6.8 ± 1.1", "86.6 ± 9.7"),
        ("23.8 ± 1.5", "90.9 ± 4.0"),
    ),
    # Its authors' beta_1 is 0.5; with 0 it keeps one to four modes of the ring, or less than 30 % HQ, at any variance.
    "MD-GAN": Method("MDGAN", "md_gan", each("adam.beta_1", 0.0, 0.5, 0.9), ("8", "89.0 ± 3.6"), ("25", "99.3 ± 2.2")),
    "WAE": Method("WAE", "wae_gan", each("WAE.lambda_", 1e-4, 1e-3, 1e-2), ("8", "35.8 ± 4.7"), ("25", "65.4 ± 3.8")),
    "alpha-GAN": Method(
        "BMSVAEGAN",
        "joint_alpha_gan",
        each("BMSVAEGAN.lambda_", 0.5, 2, 8),
        ("8", "83.6 ± 5.3"),
        ("25", "70.5 ± 4.2"),
    ),
    # Spectral normalization where its bound is wide enough: the gain of the discriminator's input.
    "BMS-VAE-GAN": Method(
        "BMSVAEGAN",
        "bms_vae_gan",
        [
            {"BMSVAEGAN.lambda_": 2},
            {"BMSVAEGAN.lambda_": 8},
            {
                "BMSVAEGAN.lambda_": 0.3,
                "discriminator/mlp.gain": 3,
                "discriminator/wrap.wrapper": "@spectral_normalization",
            },
        ],
        ("8", "99.6 ± 0.3"),
        ("25", "99.7 ± 0.2"),
    ),
}
# Settings that are not in the system's file: of the paper; and the same encoder as the others'.
ALSO = {"BMS-VAE-GAN": {"BMSVAEGAN.T": 10}, "WAE": {"WAE.encoder": "@gaussian_encoder()"}}


def space(method):
    """The declared settings of a method."""
    for rate in RATES:
        for own in METHODS[method].own:
            multiplied = {name: value * rate if name.endswith("_rate") else value for name, value in own.items()}
            yield {"adam.learning_rate": rate, **multiplied}


def job(mixture, method, seed, setting):
    params = {f"{METHODS[method].system}.ema": 0.999, **ALSO.get(method, {}), **setting}
    return {"mixture": mixture, "method": method, "seed": seed, "params": params}


def files(name):
    """What makes the list of gin files of a job of `results/<name>.jsonl`."""
    return lambda job: [
        f"gin/data/{job['mixture']}.gin",
        f"benchmarks/{name}.gin",
        f"gin/systems/{METHODS[job['method']].file}.gin",
    ]


def chosen(trials):
    """The trial with the best HQ of those whose modes are no points, and the one with the best energy distance.

    `trials`: of one method on one data set. A line that no trial qualifies for is None.
    """
    wide = [trial for trial in trials if recorded.number(trial["samples"]["std_ratio_median"]) >= 0.5]
    known = [trial for trial in trials if math.isfinite(recorded.number(trial["samples"]["energy_distance"]))]
    return {
        "HQ": max(wide, key=lambda trial: trial["samples"]["hq_percent"], default=None),
        "energy": min(known, key=lambda trial: trial["samples"]["energy_distance"], default=None),
    }


def lines(mixture):
    """(method, line, the chosen trial) of a table, where there is one."""
    trials = [row for row in recorded.read("published_2d_tuning") if row["mixture"] == mixture and "samples" in row]
    for method in METHODS:
        own = chosen([trial for trial in trials if trial["method"] == method])
        yield from ((method, line, trial) for line, trial in own.items() if trial)


def shown(method, params):
    """A setting in words, without what all trials of a method share."""
    own = {name: value for name, value in params.items() if name not in job("", method, 0, {})["params"]}
    return ", ".join(f"{re.sub(r'[A-Za-z]+[.]', '', name)} {value}" for name, value in own.items())


def print_tables():
    final = [row for row in recorded.read("published_2d") if "samples" in row]
    for mixture in MIXTURES:
        rows = {}
        for method, line, trial in lines(mixture):
            found = [row for row in final if all(row[key] == trial[key] for key in SETTING)]
            if found:
                best_of, _ = rows.setdefault((method, shown(method, trial["params"])), ([], found))
                best_of.append(line)
        cells = [
            ((method, *getattr(METHODS[method], mixture), ", ".join(best_of), setting), found)
            for (method, setting), (best_of, found) in rows.items()
        ]
        real = {row["seed"]: {**row, "samples": row["data"]} for row in final if row["mixture"] == mixture}
        cells.append((("real data", "", "", "", ""), list(real.values())))
        columns = ("method", "published modes", "published HQ %", "best of its trials in", "setting")
        runs.table(f"{mixture}: 30,000 generator updates, 2,500 samples", cells, columns)


def main(argv):
    """Runs what is asked for."""
    what = argv[1] if len(argv) == 2 else ""
    if what == "tune":
        jobs = [job(where, m, TUNING_SEED, s) for where in MIXTURES for m in METHODS for s in space(m)]
        runs.run_all("published_2d_tuning", jobs, files("published_2d_tuning"))
    elif what == "run":
        trials = [trial for mixture in MIXTURES for _, _, trial in lines(mixture)]
        jobs = [{key: trial[key] for key in SETTING} | {"seed": seed} for seed in SEEDS for trial in trials]
        runs.run_all("published_2d", [job for i, job in enumerate(jobs) if job not in jobs[:i]], files("published_2d"))
    elif what == "table":
        print_tables()
    else:
        raise app.UsageError("say tune, run or table")


if __name__ == "__main__":
    app.run(main)
