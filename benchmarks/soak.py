"""Memory over a long run with evaluation, pictures and checkpoints: at its start, its middle and its end.

    python benchmarks/soak.py [--steps=200000]

The run is gin/ring.gin with small networks, started as a user starts it. A step's own memory does not matter here: a
leak shows as a slope. Prints the resident MB at each twentieth of the run, and the least-squares slope of its second
half, in MB per 100,000 steps.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

flags.DEFINE_integer("steps", 200_000, "Of the run.", lower_bound=2_000)
FLAGS = flags.FLAGS

ROOT = Path(__file__).parents[1]
SMALL = (
    "mlp.hidden = (16,)",
    "generator/mlp.hidden = (16,)",
    "encoder/mlp.hidden = (16,)",
    "code_size = 4",
    "BMSVAEGAN.T = 2",
    "train.batch_size = 16",
)


def resident(process: int) -> float:
    """The MB that a process holds."""
    with open(f"/proc/{process}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def last_step(folder: Path) -> int:
    """The step of the last whole line of the metrics."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return json.loads(lines[-1])["step"] if lines and lines[-1].endswith("\n") else 0


def main(_):
    """Trains, looks at the process while it does, and prints what it held."""
    often = FLAGS.steps // 100
    params = [
        *SMALL,
        f"updates = {FLAGS.steps}",
        f"train.log_every = {often}",
        f"train.checkpoint_every = {often}",
        f"train.evaluate_every = {often}",
        "train.measuring_share = 1.0",
    ]
    held: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        command = [sys.executable, "-m", "bms_tf.train", "--gin_file=gin/ring.gin", f"--run_dir={folder}"]
        command += [f"--gin_param={param}" for param in params]
        with open(Path(scratch) / "log", "w") as log:
            run = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            while run.poll() is None:
                if (step := last_step(folder)) >= FLAGS.steps // 20 * (len(held) + 1):
                    held[step] = resident(run.pid)
                    print(f"step {step:7}: {held[step]:7.0f} MB", flush=True)
                time.sleep(0.2)
        if run.returncode:
            raise RuntimeError(Path(scratch, "log").read_text().splitlines()[-1])
        checkpoints = len(list((folder / "checkpoints").glob("*.index")))
    later = [(step, memory) for step, memory in held.items() if step >= FLAGS.steps / 2]
    slope = np.polyfit(*zip(*later), 1)[0] * 1e5
    first, middle, last = (list(held.values())[i] for i in (0, len(held) // 2, -1))
    print(f"start {first:.0f}, middle {middle:.0f}, end {last:.0f} MB")
    print(f"{slope:+.1f} MB per 100,000 steps in the later half")
    print(f"{checkpoints} checkpoints are kept")


if __name__ == "__main__":
    app.run(main)
