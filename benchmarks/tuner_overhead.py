"""What the tuner adds to the time of `train`: the same tiny run as trials of a search and by itself.

    python benchmarks/tuner_overhead.py [--trials=12]

Both in one process, so that neither has the start of Python and TensorFlow, which `python -m bms_tf.train` has once
for each run and a search once; each oracle in a process of its own, as TensorFlow keeps some 20 MB of every run, which
slows what comes after. Processor seconds, which other programs on the machine change little.
"""

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time

from absl import app, flags

flags.DEFINE_integer("trials", 12, "How many of each.", lower_bound=4)
flags.DEFINE_string("oracle", None, "Measure this one in this process.")
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


def seconds(function):
    """The processor seconds of a call, per trial."""
    begun = time.process_time()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        function()
    return (time.process_time() - begun) / FLAGS.trials


def compare(oracle, folder):
    """Prints a line: seconds per run as a trial and alone, and how the memory grew over the trials."""
    from bms_tf.core import config, training
    from bms_tf.tuning import report
    from bms_tf.tuning.search import Setting, Tuner

    def alone():
        for index in range(FLAGS.trials):
            config.load(RECIPE, [*TINY, "train.seed = 100"])
            training.new_run().train(os.path.join(folder, oracle, "alone", str(index)))

    def measure(trial):
        ended(trial)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    setting = Setting(
        os.path.join(folder, oracle, "search"),
        RECIPE,
        [*TINY, f"tune.oracle = @{oracle}", f"tune.trials = {FLAGS.trials}"],
        (),
    )
    setting.enter()  # the checks, once for a search, also warm everything up
    tuner, memory = Tuner(setting), []
    report.attach(setting)
    ended, setting.search.oracle.ended = setting.search.oracle.ended, measure
    per_trial, per_run = seconds(tuner.search), seconds(alone)
    print(
        f"{oracle}: {per_run:.2f} s a run alone, {per_trial:.2f} s as a trial: {per_trial - per_run:.2f} s more; "
        f"memory at most {memory[len(memory) // 2]:.0f} MB after half of the trials, {memory[-1]:.0f} MB after all",
        flush=True,
    )


def main(_):
    """Compares the oracles whose proposals take next to no time, and the one whose do not."""
    if FLAGS.oracle is None:
        for oracle in ("random_search", "bayesian"):
            subprocess.run([sys.executable, *sys.argv, f"--oracle={oracle}"], check=True)
        return
    from bms_tf.core import startup

    startup.import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        compare(FLAGS.oracle, folder)


if __name__ == "__main__":
    app.run(main)
