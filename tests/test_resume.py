"""A run that is killed again and again ends where a run that was never killed ends, to the last bit."""

import json
import random
import re
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.commands import Command

STEPS = 400
# All that a state can consist of: Adam's moments, a schedule, an average, singular vectors, and noise of every kind.
PARAMS = (
    "BMSVAEGAN.T = 2",
    "code_size = 4",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    f"linear_decay.horizon = {STEPS + 100}",
    f"train.generator_updates = {STEPS}",
    "train.batch_size = 16",
    "train.log_every = 20",
    "train.checkpoint_every = 20",
    "train.evaluate_every = 200",
    "train.metrics = [@mixture_scores]",
    "train.samples = 100",
    "ring.held_out = 300",
    "train.steps_per_execution = 1",
)
FLAGS = (
    "--gin_file=gin/ring.gin",
    "--gin_file=gin/modifiers/spectral_normalization.gin",
    *(f"--gin_param={param}" for param in PARAMS),
)
# The command, changed: it dies within its next checkpoint, when half of the data is there, under a temporary name ...
DIES_WRITING = """
import glob, os, signal
from tensorflow.python.ops import gen_io_ops

def die(checkpoint_prefixes, *args, **kwargs):
    for prefix in checkpoint_prefixes:
        for path in glob.glob(os.fsdecode(getattr(prefix, "numpy", lambda: prefix)()) + "*"):
            os.truncate(path, os.path.getsize(path) // 2)
    os.kill(os.getpid(), signal.SIGKILL)

gen_io_ops.merge_v2_checkpoints = die
"""
# ... or it is told to stop, as by a cluster, at the next step that is 7 more than a multiple of 20 ...
IS_STOPPED = """
import os, signal
from bms_tf.core import callbacks

class Stopped(callbacks.ProgressBar):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) % 20 == 7:
            os.kill(os.getpid(), signal.SIGTERM)

callbacks.ProgressBar = Stopped
"""
# ... or one of its draws has another key.
PERTURBED = """
from bms_tf.core.random import Key

normal = Key.normal
Key.normal = lambda self, name, *args, **kwargs: normal(self, name.replace("prior", "other"), *args, **kwargs)
"""


def start(folder: Path, change: str | None = None) -> Command:
    """The command, after the program `change`."""
    prepare = change and partial(exec, change, {})
    return Command("bms_tf.train", [*FLAGS, f"--run_dir={folder}"], folder.with_suffix(".log"), prepare=prepare)


def finish(run: Command):
    assert run.wait() == 0, run.said()


def lines(folder: Path) -> list[str]:
    """The lines of the metrics without their times."""
    path = folder / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [re.sub(r', "seconds": [\d.]+', "", line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def kill(run: Command, folder: Path, *, step: int = 0, seconds: float):
    """Kills the run so many seconds after the line of `step` is written, or after its start."""
    deadline = time.monotonic() + 300
    while step and not any(json.loads(line)["step"] >= step for line in lines(folder)[-1:]):
        assert run.runs() and time.monotonic() < deadline, run.said()
        time.sleep(0.005)
    time.sleep(seconds)
    run.signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "it had ended before"


def state(folder: Path) -> dict[str, np.ndarray]:
    """Everything in the last checkpoint."""
    reader = tf.train.load_checkpoint(str(folder / "checkpoints" / f"ckpt-{STEPS}"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names}


def differences(folder: Path, other: Path) -> tuple[list[str], list[int]]:
    """Which variables differ at the end, and which lines of the metrics."""
    a, b = state(folder), state(other)
    assert a.keys() == b.keys()
    pairs = zip(lines(folder), lines(other), strict=True)
    return [n for n in a if not np.array_equal(a[n], b[n])], [i for i, (one, two) in enumerate(pairs) if one != two]


@pytest.mark.slow
def test_kills_and_stops_leave_no_trace_in_the_result(tmp_path):
    # `python -m tests.faults --only=training` has many more of them.
    never, killed, perturbed = tmp_path / "never_killed", tmp_path / "killed", tmp_path / "perturbed"
    finish(start(never))
    kept = "\n".join(state(never))
    optimizers = [f"model/{name}/_variables/" for name in ("optimizer", "optimizers/discriminator")]
    for part in (*optimizers, "model/averages/", "model/encoder/", "model/generator/", "/sn_u/", "model/step/"):
        assert part in kept, "the test would not see it"

    draw = random.Random(7)
    kill(start(killed), killed, seconds=draw.uniform(0.0, 5.0))  # at any time since the start: most of it is the start
    for step in sorted(draw.sample(range(20, STEPS - 100, 20), 2)):
        kill(start(killed), killed, step=step, seconds=draw.uniform(0.0, 0.1))
    assert start(killed, DIES_WRITING).wait() == -signal.SIGKILL
    half = list((killed / "checkpoints").glob("ckpt-*_temp/*"))
    assert half, "it did not die while a checkpoint was written"
    for _ in range(2):
        assert start(killed, IS_STOPPED).wait() == 128 + signal.SIGTERM
    stops = re.findall(r"stopped by SIGTERM at step (\d+)", killed.with_suffix(".log").read_text())
    assert [int(step) % 20 for step in stops] == [7, 7], "each within an interval"
    assert not list((killed / "checkpoints").glob("ckpt-*_temp")), "the half-written one is still there"
    shutil.copytree(killed, perturbed)

    finish(start(killed))
    assert "resuming at step" in killed.with_suffix(".log").read_text()
    assert differences(never, killed) == ([], [])
    assert (killed / "scores.json").read_text() == (never / "scores.json").read_text()

    # The comparison sees one draw with another key, in all that depends on it.
    finish(start(perturbed, PERTURBED))
    variables, rows = differences(never, perturbed)
    assert any("generator" in name for name in variables) and any("averages" in name for name in variables)
    assert 0 < rows[0] and rows[-1] == STEPS // 20 - 1, "not before the kill, and up to the end"
