"""What the README prints as code runs as it is printed."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands import TIME_LIMIT, Command, run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What the test adds to a command, so that it takes seconds, and a server does not meet another one.
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
    "serve": ["--port=0", "--rest_port=0"],
    "tune": [
        "--gin_param=train.generator_updates = 20",
        *SHORT[1:-1],
        "--gin_param=tune.trials = 1",
        "--gin_param=tune.finalists = 0",
    ],
    "reproduce": [],
}
# The study has no flag for it: its file in the working directory is made short, before the shipped one of that name.
SHORT_STUDY = {
    "study.params = {": "study.params = {'updates': 20, 'mlp.hidden': (8,), 'generator/mlp.hidden': (8,), "
    "'encoder/mlp.hidden': (8,), 'BMSVAEGAN.T': 2, 'train.steps_per_execution': 10, 'train.samples': 100, ",
    ", @ring_long/method(), @grid_long/method()": "",
    "(20, 21, 22, 23, 24)": "(10,)",
    "(130, 131, 132, 133, 134)": "(130,)",
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
    """What each target would do: modules of the environment."""
    environment = os.environ | {"MAKEFLAGS": ""}  # the tests themselves may be run by make
    for target in set(re.findall(r"`?\bmake (\w+)", README)):
        dry = ["make", "--dry-run", "--always-make", target]
        said = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, env=environment)
        assert said.returncode == 0, said.stderr
        module = {"train": "bms_tf.train", "docs": "mkdocs"}.get(target, "pytest")
        assert f"python -m {module} " in said.stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_git_does_not_see_what_its_commands_make():
    flags = [argument.partition("=") for _, arguments in commands() for argument in arguments]
    made = [value for name, _, value in flags if name in ("--run_dir", "--out")]
    made += [f"savedmodels/{value}/1/saved_model.pb" for name, _, value in flags if name == "--name"]
    made += ["mlflow.db", "mlruns/1", "wandb/run"]  # what trackers keep in the working directory
    assert len(made) == 8
    ignored = subprocess.run(["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True).stdout
    assert ignored.splitlines() == made


def check_that_it_serves(arguments, folder, environment):
    requests = pytest.importorskip("requests")
    server = Command("bms_tf.serve", arguments, folder / "serve.log", cwd=folder, environment=environment)
    end = time.monotonic() + TIME_LIMIT
    while not (found := re.search(r"REST and a page at (\S+)\n", server.said())):
        assert server.runs() and time.monotonic() < end, server.said()
        time.sleep(0.1)
    body = {"signature_name": "sample", "instances": [1, 2, 3]}
    answer = requests.post(f"{found[1]}/v1/models/my_grid:predict", json=body, timeout=TIME_LIMIT)
    assert answer.status_code == 200 and np.shape(answer.json()["predictions"]) == (3, 2), answer.text
    server.signal(signal.SIGTERM)
    server.wait()


@pytest.mark.slow
def test_its_commands_run_in_their_order(tmp_path, digits_cache):
    for folder in ("gin", "savedmodels"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    study = tmp_path / "gin/studies/recipes.gin"
    for long, short in SHORT_STUDY.items():
        assert study.read_text().count(long) == 1
        study.write_text(study.read_text().replace(long, short))
    environment = os.environ | {"XDG_CACHE_HOME": digits_cache, "PYTHONPATH": str(ROOT)}
    assert {name for name, _ in commands()} == set(ADDED)
    for name, arguments in commands():
        if name == "serve":
            check_that_it_serves([*arguments, *ADDED[name]], tmp_path, environment)
            continue
        done = run(f"bms_tf.{name}", *arguments, *ADDED[name], cwd=tmp_path, environment=environment)
        assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "savedmodels/my_grid/1/saved_model.pb").exists()
    assert list(tmp_path.rglob("*.html"))
    assert len((tmp_path / "runs/study_recipes/runs.jsonl").read_text().splitlines()) == 2
    assert "| BMS-VAE-GAN, T = 10 |" in (tmp_path / "runs/study_recipes/table.md").read_text()


@pytest.mark.slow
def test_its_python_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    (code,) = blocks("python")
    assert "epochs=4" in code
    names = {}
    exec(compile(code.replace("steps_per_epoch=500, epochs=4", "steps_per_epoch=100"), "README.md", "exec"), names)
    assert names["pictures"].shape == names["again"].shape == (16, 32, 32, 1)
    assert names["points"].shape == (1000, 2)
    assert np.isfinite(names["again"]).all() and np.isfinite(names["points"]).all()
