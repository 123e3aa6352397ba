"""The training command, as scripts of benchmarks/ start it."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def train(run_dir, files, params, seed):
    """Trains in `run_dir` with gin files and {parameter: value}, or goes on where a run was cut off."""
    line = [sys.executable, "-m", "bms_tf.train", *(f"--gin_file={file}" for file in files)]
    line += [f"--gin_param={name} = {value}" for name, value in params.items()]
    if subprocess.run([*line, f"--seed={seed}", f"--run_dir={pathlib.Path(run_dir).absolute()}"], cwd=ROOT).returncode:
        raise ValueError(f"training in {run_dir} failed")
