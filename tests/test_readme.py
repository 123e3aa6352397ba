"""What the README prints as code runs as it is printed."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What the test adds to a command, so that it takes seconds; a server is only asked whether it knows its flags.
SHORT = [
    "--gin_param=updates = 20",
    "--gin_param=train.steps_per_execution = 10",
    "--gin_param=train.samples = 100",
    "--gin_param=mlp.hidden = (8,)",
    "--gin_param=generator/mlp.hidden = (8,)",
    "--gin_param=encoder/mlp.hidden = (8,)",
    "--gin_param=BMSVAEGAN.T = 2",
]
ADDED = {
    "train": SHORT,
    "evaluate": ["--n=200"],
    "report": [],
    "export": [],
    "serve": ["--help"],
    "tune": [
        "--gin_param=train.generator_updates = 20",
        *SHORT[1:-1],
        "--gin_param=tune.trials = 1",
        "--gin_param=tune.finalists = 0",
    ],
    "reproduce": ["--table"],
}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands():
    """The README's lines of `python -m bms_tf.NAME`, in their order: (NAME, arguments)."""
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines if line.startswith("python -m bms_tf.")]
    return [(words[2].removeprefix("bms_tf."), words[3:]) for words in split]


def test_it_is_short_and_its_links_lead_somewhere():
    assert len(README.split()) < 900
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_make_knows_what_it_names():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?\bmake (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_git_does_not_see_what_its_commands_make():
    flags = [argument.partition("=") for _, arguments in commands() for argument in arguments]
    made = [value for name, _, value in flags if name in ("--run_dir", "--out")]
    made += [f"savedmodels/{value}/1/saved_model.pb" for name, _, value in flags if name == "--name"]
    assert len(made) == 5
    ignored = subprocess.run(["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True).stdout
    assert ignored.splitlines() == made


@pytest.mark.slow
def test_its_commands_run_in_their_order(tmp_path):
    for folder in ("gin", "savedmodels"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert {name for name, _ in commands()} == set(ADDED)
    for name, arguments in commands():
        done = run(f"bms_tf.{name}", *arguments, *ADDED[name], cwd=tmp_path, environment=environment)
        assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
        if name == "serve":
            flags = {word.partition("=")[0].removeprefix("--") for word in arguments}
            assert all(f"--{flag}" in done.stdout or f"--[no]{flag}" in done.stdout for flag in flags)
    assert (tmp_path / "savedmodels/my_grid/1/saved_model.pb").exists()
    assert list(tmp_path.rglob("*.html"))


@pytest.mark.slow
def test_its_python_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["pictures"].shape == names["again"].shape == (16, 32, 32, 1)
    assert np.isfinite(names["again"]).all()
