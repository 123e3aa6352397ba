"""Breaks the code in one place at a time and runs the tests that should notice: python tools/mutate.py

Each mutation is made in a copy of the tree, so that nothing here changes. It prints a line for each, and at the end
which survived; the exit status is their number. --only=WORD runs those whose file or change holds the word.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent


class Mutation(NamedTuple):
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = [
    # objectives
    Mutation(
        "bms_tf/objectives/adversarial.py",
        "softplus(fake - real)",
        "softplus(real - fake)",
        "objectives/test_adversarial.py",
    ),
    Mutation(
        "bms_tf/objectives/adversarial.py",
        "relu(self.b + fake)",
        "relu(self.a + fake)",
        "objectives/test_adversarial.py",
    ),
    Mutation("bms_tf/objectives/adversarial.py", "return -fake", "return fake", "objectives/test_adversarial.py"),
    Mutation(
        "bms_tf/objectives/best_of_many.py", "tf.argmax(scores", "tf.argmin(scores", "objectives/test_best_of_many.py"
    ),
    Mutation("bms_tf/objectives/best_of_many.py", "- math.log(scores.shape[0])", "", "objectives/test_best_of_many.py"),
    Mutation("bms_tf/objectives/penalties.py", "- 1.0) ** 2", ") ** 2", "objectives/test_penalties.py"),
    # systems and modifiers
    Mutation(
        "bms_tf/systems/bms_vae_gan.py",
        "stack.enter_context(frozen_statistics(*networks))",
        "pass",
        "systems/test_bms_vae_gan.py",
    ),
    Mutation(
        "bms_tf/systems/bms_vae_gan.py",
        "tf.stop_gradient(x_gen)",
        "x_gen",
        "systems/test_bms_vae_gan.py -k sleep",
    ),
    Mutation(
        "bms_tf/systems/bms_vae_gan.py",
        "noise[: self.codes_seen]",
        "noise[-self.codes_seen :]",
        "systems/test_bms_vae_gan.py",
    ),
    Mutation(
        "bms_tf/systems/began.py", "self.k = tf.Variable(", "self.__dict__['k'] = tf.Variable(", "systems/test_began.py"
    ),
    Mutation(
        "bms_tf/modifiers/zero_centered_penalty.py", "r1 * len(fakes)", "r1", "modifiers/test_zero_centered_penalty.py"
    ),
    Mutation(
        "bms_tf/modifiers/zero_centered_penalty.py",
        "0.5 * tf.reduce_sum",
        "tf.reduce_sum",
        "modifiers/test_zero_centered_penalty.py",
    ),
    Mutation(
        "bms_tf/modifiers/gradient_penalty.py",
        "with frozen_statistics(system.generator, system.discriminator):",
        "if True:",
        "modifiers/test_gradient_penalty.py",
    ),
    Mutation(
        "bms_tf/core/functional.py", "seen = tf.identity(x)", "seen = x", "modifiers/test_zero_centered_penalty.py"
    ),
    # core
    Mutation("bms_tf/core/optimizers.py", "global_clipnorm=clipnorm", "clipnorm=clipnorm", "core/test_optimizers.py"),
    Mutation(
        "bms_tf/core/optimizers.py",
        "(learning_rate, horizon, end",
        "(learning_rate, 2 * horizon, end",
        "core/test_optimizers.py",
    ),
    Mutation(
        "bms_tf/core/system.py",
        "return self.step * self.generator_updates",
        "return tf.identity(self.step)",
        "core/test_system.py -k schedules",
    ),
    Mutation(
        "bms_tf/core/system.py",
        "g / replicas",
        "g",
        "core/test_system.py -k 'two_devices and not slices'",
    ),
    Mutation(
        "bms_tf/core/system.py",
        "self.ema * average + (1 - self.ema) * weight",
        "(1 - self.ema) * average + self.ema * weight",
        "core/test_system.py -k average",
    ),
    Mutation(
        "bms_tf/core/recipe.py",
        "computing_in(self.precision), memory",
        'computing_in("float32"), memory',
        "core/test_precision.py -k recipe",
    ),
    Mutation("bms_tf/core/random.py", "zlib.crc32(name.encode())", "0", "core/test_random.py"),
    Mutation(
        "bms_tf/networks/roles.py",
        "keras.layers.Rescaling(1 / scale), network",
        "keras.layers.Rescaling(scale), network",
        "networks/test_roles.py",
    ),
    # metrics
    Mutation("bms_tf/metrics/energy.py", "replace=False", "replace=True", "metrics/test_energy.py"),
    Mutation("bms_tf/metrics/frechet.py", "- 2 * trace_of_root", "- trace_of_root", "metrics/test_frechet.py"),
    Mutation("bms_tf/metrics/mixture.py", "distance <= within * std", "distance <= std", "metrics/test_mixture.py"),
    Mutation(
        "bms_tf/metrics/encoder_scores.py",
        "(~same.any(axis=0))",
        "(~same.all(axis=0))",
        "metrics/test_encoder_scores.py",
    ),
    # pipelines
    Mutation("pipelines/cifar10.py", 'flip and split == "train"', "flip", "pipelines/test_prepared.py -k flips"),
    Mutation("pipelines/addressing.py", "tf.constant([seed, ", "tf.constant([0 * seed, ", "pipelines/test_mixtures.py"),
    Mutation(
        "pipelines/records.py", "in (498247692, seed)", "in (498247692, 0 * seed)", "pipelines/test_records.py -k order"
    ),
    Mutation(
        "pipelines/records.py",
        "start = start_step * examples_per_step",
        "start = max(start_step - 1, 0) * examples_per_step",
        "pipelines/test_prepared.py -k 'goes_on and cifar10'",
    ),
    Mutation(
        "pipelines/prepared.py",
        'train = f"train[:-{held_out}]"',
        'train = "train"',
        "pipelines/test_prepared.py -k splits_of_cifar10",
    ),
]


def survives(mutation: Mutation, copy: pathlib.Path) -> bool:
    """Whether the tests pass on a tree with the mutation.

    Raises ValueError where its text is not in the file, or its tests do not run.
    """
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    if mutation.old not in text:
        raise ValueError(f"{mutation.file} holds no {mutation.old!r}: the mutation is of an older state")
    path.write_text(text.replace(mutation.old, mutation.new, 1), encoding="utf-8")
    try:
        tests, *rest = mutation.tests.split(" -k ")
        chosen = [f"tests/{tests}", *(["-k", rest[0].strip("'")] if rest else [])]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *chosen]
        ended = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        if ended.returncode not in (0, 1):  # no such test, or no test at all
            raise ValueError(f"tests of {mutation.file} did not run: {ended.stdout[-500:]}{ended.stderr[-500:]}")
        return ended.returncode == 0
    finally:
        path.write_text(text, encoding="utf-8")


def main():
    """Makes every mutation and prints what the tests say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="a word of the file or of the change")
    only = parser.parse_args().only
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "tree"
        left_out = shutil.ignore_patterns(".git", ".venv*", "runs", "savedmodels", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=left_out)
        for mutation in MUTATIONS:
            if only in mutation.file + mutation.old:
                alive = survives(mutation, copy)
                survivors += [mutation] * alive
                print(
                    f"{'SURVIVES' if alive else 'caught  '} {mutation.file}: {mutation.old} -> {mutation.new}",
                    flush=True,
                )
    print(f"{len(survivors)} of {len(MUTATIONS)} survive" if not only else f"{len(survivors)} survive")
    sys.exit(len(survivors))


if __name__ == "__main__":
    main()
