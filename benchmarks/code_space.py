"""Does best-of-many let q(z) match the prior? Runs on 2-D data and the digits, and what their code spaces look like.

    python benchmarks/code_space.py --data=ring

After table 3 of Bhattacharyya et al. 2019: WAE, alpha-GAN and BMS-VAE-GAN, here with 1, 10 and 30 samples. All have the
networks, the optimizer and the batch of the recipe gin/ring.gin or gin/grid.gin, whose system is BMS-VAE-GAN; T alone
differs between its three runs. With --paper BMS-VAE-GAN plays the paper's own game, the hinge loss with spectral
normalization, at the same settings.

The encoders of WAE, deterministic or fed with noise, have no density. What is compared with them is of codes with
noise of standard deviation 1, on q(z) and on the prior alike; "matched" is what codes of the prior itself would have,
as many as there are data. The lines go to benchmarks/results/code_space.jsonl, the picture to
docs/figures/code_space_DATA.png: t-SNE of codes, and samples, with the low-posterior ones in red.
"""

import importlib
import json
import pathlib
import time

import matplotlib.image
import numpy as np
import PIL.Image
import recorded
import training
from absl import flags
from matplotlib.figure import Figure

from bms_tf.core import command

EXAMPLE = "python benchmarks/code_space.py --data=ring --updates=8000"
DATA = flags.DEFINE_enum("data", "ring", ["ring", "grid", "digits"], "The data set, and the recipe.")
UPDATES = flags.DEFINE_integer("updates", None, "Generator updates of each run; left out, those of the recipe.", 1)
SEED = flags.DEFINE_integer("seed", 0, "Of all runs.", lower_bound=0)
NOISE = flags.DEFINE_float("noise", 1.0, "Standard deviation of the noise on codes, for all methods alike.")
PAPER = flags.DEFINE_bool("paper", False, "BMS-VAE-GAN with hinge loss and spectral normalization.")
KEEP = flags.DEFINE_string("keep", "runs/code_space", "Where the runs are; what is there is not trained again.")

FIGURES = pathlib.Path(__file__).parent.parent / "docs/figures"
LENGTH = {"ring": "updates", "grid": "updates", "digits": "train.generator_updates"}
FED_WITH_NOISE = "WAE, fed with noise"  # of 2-D data alone
METHODS = {  # a method's gin files behind the recipe, and settings
    FED_WITH_NOISE: (["gin/systems/wae_gan_2d.gin"], {}),
    "WAE, deterministic": (["gin/systems/wae_gan.gin"], {}),
    "alpha-GAN": (["gin/systems/joint_alpha_gan.gin"], {}),
    **{f"BMS-VAE-GAN, T = {T}": ([], {"BMSVAEGAN.T": T}) for T in (1, 10, 30)},
}
SHOWN = {
    "hq_percent": "HQ %",
    "frechet_classifier_distance": "Frechet distance",
    "marginal_kl": "KL[q(z), p(z)]",
    "mutual_information": "I",
    "average_kl": "mean KL",
    "moments_kl": "KL of moments",
    "density_ratio_kl": "by density ratio",
    "marginal_kl_noised": "with noise",
    "marginal_kl_noised_matched": "matched",
    "low_posterior_percent": "low codes, %",
    "low_posterior_percent_matched": "matched",
    "prior_energy": "energy, likely",
    "low_posterior_energy": "energy, low",
}


def methods():
    """The methods that are for the data."""
    return [method for method in METHODS if DATA.value != "digits" or method != FED_WITH_NOISE]


def folder(method):
    """The run folder of a method."""
    name = "".join(c if c.isalnum() else "_" for c in method.lower())
    length = UPDATES.value or "full"
    return pathlib.Path(KEEP.value) / f"{DATA.value}_{name}_{'paper_' * PAPER.value}{length}_{SEED.value}"


def settings(method):
    """The gin files and parameters of a method."""
    files, params = METHODS[method]
    game = ["gin/systems/bms_vae_gan.gin"] if PAPER.value and method.startswith("BMS") else []
    if UPDATES.value:
        params = {LENGTH[DATA.value]: UPDATES.value, **params}
    return [f"gin/{DATA.value}.gin", *game, *files], params


def train(method):
    """Trains, or goes on where a run was cut off."""
    training.train(folder(method), *settings(method), SEED.value)


def measure(method):
    """Every score of a trained run; its pictures go into its folder."""
    from bms_tf.evaluation import models
    from bms_tf.metrics.density_ratio import density_ratio_kl
    from bms_tf.metrics.low_posterior import low_posterior
    from bms_tf.metrics.marginal_kl import code_moments, marginal_kl

    pipeline = getattr(importlib.import_module(f"pipelines.{DATA.value}"), DATA.value)
    split = "train_once" if DATA.value == "digits" else "test"  # of the digits 360 are to test
    data = np.concatenate(list(pipeline(split, 0, 1000, SEED.value).as_numpy_iterator()))
    model = models.load(str(folder(method))).model
    answers = {}
    if model.posterior is not None:
        answers |= marginal_kl(model, data, seed=SEED.value)
    noised = marginal_kl(model, data, seed=SEED.value, noise=NOISE.value)
    answers |= {name.replace("_kl", "_kl_noised", 1): value for name, value in noised.items() if "kl" in name}
    answers |= code_moments(model, data, seed=SEED.value)
    answers |= density_ratio_kl(model, data, seed=SEED.value, steps=3000)
    answers |= low_posterior(model, data, seed=SEED.value, noise=NOISE.value)
    for name, value in answers.items():
        if isinstance(value, Figure):
            value.savefig(folder(method) / f"{name}.png", dpi=110)
    return {name: value for name, value in answers.items() if not isinstance(value, Figure)}


def figure(shown):
    """Codes over samples, a column for each method."""
    result = Figure(figsize=(4 * len(shown), 8.4), layout="constrained")
    axes = result.subplots(2, len(shown), squeeze=False)
    for column, method in enumerate(shown):
        axes[0, column].set_title(method)
        for row, name in enumerate(("low_posterior_codes", "low_posterior_samples")):
            axes[row, column].imshow(matplotlib.image.imread(folder(method) / f"{name}.png"))
            axes[row, column].set_axis_off()
    return result


def main(_):
    """Trains what is missing, measures it, and prints a table."""
    if NOISE.value <= 0:
        raise ValueError(f"--noise is {NOISE.value}; it must be positive, or the codes of WAE have no density")
    common = {"data": DATA.value, "updates": UPDATES.value, "seed": SEED.value, "noise": NOISE.value}
    common |= {"game": "paper" if PAPER.value else "recipe"}
    for method in methods():
        job = {**common, "method": method}
        if recorded.those(recorded.read("code_space"), job):
            continue
        begun = time.monotonic()
        train(method)
        seconds = round(time.monotonic() - begun)
        from bms_tf.core import startup

        startup.import_tensorflow()
        scores = json.loads((folder(method) / "scores.json").read_text())["samples"]
        row = {**job, "training_seconds": seconds, "scores": {**scores, **measure(method)}}
        recorded.write("code_space", [*recorded.read("code_space"), row])
    rows = recorded.those(recorded.read("code_space"), common)
    print(f"\n{common}\n\n| method | {' | '.join(SHOWN.values())} |\n|{' --- |' * (1 + len(SHOWN))}")
    for row in rows:
        cells = [f"{row['scores'][name]:.3g}" if row["scores"].get(name) is not None else "" for name in SHOWN]
        print(f"| {row['method']} | {' | '.join(cells)} |")
    path = FIGURES / f"code_space_{DATA.value}.png"
    figure([row["method"] for row in rows]).savefig(path, dpi=60)
    with PIL.Image.open(path) as drawn:
        small = drawn.convert("RGB").quantize(48)  # a third of the size, for a file that is in the repository
    small.save(path, optimize=True)


if __name__ == "__main__":
    command.run(main, EXAMPLE)
