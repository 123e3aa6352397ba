"""Systems as their authors have them, on ring and grid, once each; WAE-GAN and MD-GAN on the grid on three seeds.

    python benchmarks/authors_2d.py wae     WAE-GAN on the grid: rate and scale on seed 100, D_L's weight on 0 to 2
    python benchmarks/authors_2d.py md_gan  MD-GAN on the grid, seeds 0 to 2
    python benchmarks/authors_2d.py once    every setting of ONCE, seed 0
    python benchmarks/authors_2d.py table   the tables, from benchmarks/results/authors_2d.jsonl

All stand on mixtures.gin (VEEGAN's networks, Adam without momentum whose rate falls to 0); the files that end in _2d
then have what their authors took for such data, batches and rates included. WAE-GAN has a moving average of the
generator. ONCE first had one as well, which over so few steps averages over most of the way. Then GDPP-GAN and MD-GAN
had rates that fall to 0, and MD-GAN half of its length. Those lines are in results/authors_2d_before.jsonl. What is in
results/ is not run again; each line has the command that makes it.
"""

import recorded
import runs
from absl import app

NAME = "authors_2d"
MIXTURES = ("ring", "grid")


def job(mixture, system, seed, params):
    """A run: `system` is a file of gin/systems/."""
    return {"mixture": mixture, "system": system, "seed": seed, "params": params}


def files(job):
    """The gin files of a job."""
    return [f"gin/data/{job['mixture']}.gin", "benchmarks/mixtures.gin", f"gin/systems/{job['system']}.gin"]


def wae(seed, rate, weight, updates, scale=1.0):
    """A run of WAE-GAN on the grid with an encoder that is fed with noise and a D_L of two layers of 512."""
    params = {
        "WAE.ema": 0.999,
        "WAE.encoder": "@noise_fed_encoder()",
        "code_discriminator/mlp.hidden": [512, 512],
        "WAE.lambda_": 0.03,
        "WAE.code_weight": weight,
        "adam.learning_rate": rate,
        "updates": updates,
        "shapes.scale": scale,
    }
    return job("grid", "wae_gan", seed, params)


WAE_TRIALS = [wae(100, rate, 1.0, 10_000, scale) for rate, scale in ((3e-3, 1.0), (1e-2, 1.0), (1e-2, 4.0))]
WAE_RUNS = [wae(seed, 1e-2, weight, 30_000) for seed in (0, 1, 2) for weight in (1.0, 0.03)]
MD_GAN = [job("grid", "md_gan_2d", seed, {"updates": 40_000}) for seed in (0, 1, 2)]
# The data, the file, and what is set beside it.
ONCE = [
    (MIXTURES, "unrolled_gan", {"adam.learning_rate": 3e-3, "updates": 10_000}),
    (MIXTURES, "age", {"adam.learning_rate": 3e-3, "updates": 10_000}),
    (MIXTURES, "dist_gan", {"adam.learning_rate": 3e-3, "updates": 10_000, "DistGAN.horizon": 10_000}),
    (MIXTURES, "dist_gan_2d", {"updates": 20_000}),
    (("ring",), "md_gan_2d", {"updates": 40_000}),
    (MIXTURES, "began_2d", {"adam.learning_rate": 3e-3, "updates": 5_000}),
    (("ring",), "wae_gan_2d", {"adam.learning_rate": 1e-2, "updates": 10_000}),
    (MIXTURES, "gdpp_gan_2d", {"updates": 25_000}),
    (("grid",), "gdpp_gan_2d", {"updates": 75_000}),
    (MIXTURES, "veegan_2d", {"updates": 100_000}),
]


def once():
    """The runs of ONCE."""
    return [job(where, system, 0, params) for on, system, params in ONCE for where in on]


def main(argv):
    """Runs what is asked for."""
    what = argv[1] if len(argv) == 2 else ""
    if what == "wae":
        runs.run_all(NAME, WAE_TRIALS + WAE_RUNS, files)
    elif what == "md_gan":
        runs.run_all(NAME, MD_GAN, files)
    elif what == "once":
        runs.run_all(NAME, once(), files)
    elif what == "table":
        print_tables()
    else:
        raise app.UsageError("say wae, md_gan, once or table")


def print_tables():
    """WAE-GAN by the weight of D_L's loss; and every other system, by its length and rates."""
    rows = [row for row in recorded.read(NAME) if "samples" in row]
    of_wae, rest = ([row for row in rows if (row["system"] == "wae_gan") == is_wae] for is_wae in (True, False))
    columns = {
        "updates": "updates",
        "adam.learning_rate": "rate",
        "shapes.scale": "scale",
        "WAE.code_weight": "weight of D_L's loss",
    }
    of_wae = by(of_wae, lambda row: tuple(row["params"][name] for name in columns))
    runs.table("WAE-GAN on the grid", of_wae, tuple(columns.values()))
    of_mixtures = by(rest, lambda row: (row["mixture"], row["system"], row["params"]["updates"], rates(row)))
    runs.table("As their authors have them", of_mixtures, ("data", "system", "updates", "rates"))


def by(rows, cells):
    """Pairs of what `cells` gives and its rows."""
    found = {}
    for row in rows:
        found.setdefault(cells(row), []).append(row)
    return list(found.items())


def rates(row):
    """What becomes of the rates over a run."""
    schedule = next(line.split(" = ")[1] for line in row["operative"] if "adam.schedule = " in line)
    return {"@linear_decay": "fall to 0", "@piecewise_linear": "halved thrice", "None": "constant"}[schedule]


if __name__ == "__main__":
    app.run(main)
