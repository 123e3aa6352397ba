"""What the tuner adds to the time of `train`, and how its memory grows: a tiny run as trials of a search and by itself.

    python benchmarks/tuner_overhead.py [--trials=12] [--oracle=random_search]

Each run is in a process of its own, as a trial is, so that what is compared has the same start.
"""

import contextlib
import os
import tempfile
import time

import psutil
from absl import app, flags

from bms_tf.core import processes

flags.DEFINE_integer("trials", 12, "How many of each.", lower_bound=4)
flags.DEFINE_list("oracle", ["random_search", "bayesian"], "Which are measured.")
FLAGS = flags.FLAGS

RECIPE = ["gin/ring.gin", "gin/systems/bms_vae.gin"]
TINY = [
    "import bms_tf.tuning.search",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    "train.generator_updates = 200",
    "linear_decay.horizon = 200",
    "train.log_every = 100",
    "train.checkpoint_every = 100",
    "train.evaluate_every = 200",
    "tune.space = {'BMSVAEGAN.lambda_': @x/interval(), 'adam.learning_rate': @y/interval()}",
    "x/interval.low = 0.1",
    "x/interval.high = 10.0",
    "y/interval.low = 0.001",
    "y/interval.high = 0.01",
    "tune.objectives = {'hq_percent': 'max'}",
]


def run(folder):
    """One run, in this process."""
    from bms_tf.core import config, startup

    startup.import_tensorflow()
    from bms_tf.core import training

    config.load(RECIPE, [*TINY, "train.seed = 100"])
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        training.new_run().train(folder)


def memory():
    """The megabytes that this process holds, and the one of which its trials are copies."""
    ours = psutil.Process()
    servers = [child for child in ours.children() if "forkserver" in " ".join(child.cmdline())]
    return sum(process.memory_info().rss for process in (ours, *servers)) / 2**20


def compare(oracle, folder, group):
    """Prints a line: seconds per run as a trial and alone, and how the memory grew over the trials."""
    from bms_tf.tuning import report
    from bms_tf.tuning.progress import Progress
    from bms_tf.tuning.search import Setting, Tuner

    held = []

    def measure(trial):
        ended(trial)
        held.append(memory())

    params = [*TINY, f"tune.oracle = @{oracle}", f"tune.trials = {FLAGS.trials}"]
    setting = Setting(os.path.join(folder, oracle, "search"), RECIPE, params, ())
    setting.enter(group)
    tuner = Tuner(setting, group)
    report.attach(setting, Progress())
    ended, setting.search.oracle.ended = setting.search.oracle.ended, measure
    begun = time.monotonic()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        tuner.search()
    per_trial, alone = (time.monotonic() - begun) / FLAGS.trials, min(FLAGS.trials, 12)
    begun = time.monotonic()
    for index in range(alone):
        group.call(run, os.path.join(folder, oracle, "alone", str(index)))
    per_run = (time.monotonic() - begun) / alone
    print(
        f"{oracle}: {per_run:.2f} s a run alone, {per_trial:.2f} s as a trial: {per_trial - per_run:.2f} s more; "
        f"memory {held[0]:.1f} MB after the first of {len(held)} trials, {held[len(held) // 2]:.1f} MB after half of "
        f"them, {held[-1]:.1f} MB after all",
        flush=True,
    )


def main(_):
    """Compares the oracles whose proposals take next to no time, and the one whose do not."""
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.tuning.search import PRELOAD

    with tempfile.TemporaryDirectory() as folder, processes.Group(PRELOAD) as group:
        for oracle in FLAGS.oracle:
            compare(oracle, folder, group)


if __name__ == "__main__":
    app.run(main)
