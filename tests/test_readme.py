"""What the README prints as code runs as it is printed."""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from bms_tf.tuning.search import Setting

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def code(title):
    """The blocks of code in a section."""
    section = re.search(rf"## {title}\n(.*?)\n## ", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    return [
        textwrap.dedent(block).lstrip("\n")
        for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", section, re.MULTILINE)
    ]


@pytest.mark.slow
def test_the_library_example_runs():
    (block,) = code("As a library")
    names, fewer = {}, block.replace("steps_per_epoch=500, epochs=4", "steps_per_epoch=20, epochs=1")
    exec(compile(fewer, str(README), "exec"), names)
    assert names["samples"].shape == (1000, 2)
    assert np.isfinite(names["samples"]).all()
    assert int(names["system"].step.numpy()) == 20


@pytest.mark.slow
def test_a_system_of_ones_own_in_one_file_outside_the_package(tmp_path):
    module, gin_file, command = code("Your own system")
    (tmp_path / "lsgan.py").write_text(module)
    (tmp_path / "lsgan.gin").write_text(gin_file)
    short = {"generator_updates": 20, "log_every": 10, "checkpoint_every": 10, "evaluate_every": 10, "samples": 50}
    params = [f"--gin_param=train.{name} = {value}" for name, value in {**short, "steps_per_execution": 1}.items()]

    def start(*arguments):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, env=environment)

    _, *arguments, allowed = shlex.split(command)
    refused = start(sys.executable, *arguments)
    assert refused.returncode == 1 and "lsgan.gin:1: import of 'lsgan' is refused" in refused.stderr
    trained = start(sys.executable, *arguments, allowed, *params)
    assert trained.returncode == 0, trained.stderr
    (run,) = (tmp_path / "runs").iterdir()
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"discriminator/real", "discriminator/sample", "generator/sample"} <= last.keys()
    assert last["step"] == 20


def test_the_sweep_can_be_searched(tmp_path):
    (tmp_path / "sweep.gin").write_text(code("Sweeps")[1])
    search = Setting(str(tmp_path / "search"), ["gin/ring.gin", str(tmp_path / "sweep.gin")], [], ()).search
    rate = search.space["adam.learning_rate"]
    assert (rate.low, rate.high, rate.log, search.oracle.hours) == (1e-4, 1e-2, True, 6)
