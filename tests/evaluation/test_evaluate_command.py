"""The command in processes of its own: help, list, a table, a card, and one line for each mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run

ROOT = Path(__file__).parents[2]


def command(*arguments, cwd):
    return run("bms_tf.evaluate", *arguments, cwd=cwd, environment=os.environ | {"XDG_CACHE_HOME": str(cwd / "cache")})


def started(*arguments, cwd):
    """The same, its imports included."""
    line = [sys.executable, "-m", "bms_tf.evaluate", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd, env=environment)


def test_help_and_list_import_nothing_heavy(tmp_path):
    done = started("--help", cwd=tmp_path)
    assert done.returncode == 0 and "--features" in done.stdout
    assert "python -m bms_tf.evaluate --model=savedmodels/ring --data=gin/data/ring.gin" in done.stdout
    listed = started("--list", cwd=tmp_path)
    lines = listed.stdout.splitlines()
    assert any(line.startswith("precision_recall ") and "Kynkaanniemi" in line for line in lines)
    assert lines == sorted(lines) and listed.stderr == ""


@pytest.mark.slow
def test_two_models_their_table_and_their_cards(tmp_path):
    for name in ("ring", "again"):
        shutil.copytree(ROOT / "savedmodels/ring", tmp_path / name, ignore=shutil.ignore_patterns("evaluation*"))
    arguments = ["--model=ring,again", "--data=gin/data/ring.gin", "--n=400", "--n_real=300", "--card"]
    done = command(*arguments, "--metrics=prdc,mixture_scores", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    said = [line.split(" ")[0] for line in lines[:6]]
    assert said == ["prdc:", "mixture_scores:", "appended", "prdc:", "mixture_scores:", "appended"]
    table = lines[6:]
    assert table[0] == "| quantity | ring | floor | again | floor |"
    # The same model under two names has the same values; floors of 400 points of another split.
    cells = next(line for line in table if line.startswith("| precision ")).split("|")[2:6]
    assert cells[:2] == cells[2:]
    rows = [json.loads(line) for line in (tmp_path / "ring" / "evaluation.jsonl").read_text().splitlines()]
    assert {row["metric"] for row in rows} == {"prdc", "mixture_scores"}
    floor = rows[0]["protocol"]["floor"]
    assert (floor["n_generated"], floor["n_real"], floor["data"]) == (400, 300, "ring, validation")
    card = (tmp_path / "ring" / "README.md").read_text()
    assert "\n# ring\n" in card and card.count("| precision (higher is better) |") == 1, "in place of the card's own"
    shown = "python -m bms_tf.evaluate --model=ring,again --data=gin/data/ring.gin --n=400 --n_real=300 --card"
    assert f"    {shown} --metrics=prdc,mixture_scores\n" in card
    assert list((tmp_path / "cache" / "bms_tf" / "evaluation").glob("*.rows"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "error: --model or --samples is needed; for example: python -m bms_tf.evaluate --model="),
        (["--metrics=FID"], "error: FID is the metric frechet with the features inception"),
        (["--data=gin/data/rign.gin"], "error: no gin file 'gin/data/rign.gin'; looked for"),
        (["--metrics=frechet"], "error: frechet: 9 samples for 12 features; 13 or more"),
        (["--metrics=vendi", "--out=x.npz/out"], "error: [Errno 17] File exists: 'x.npz'"),
        (
            ["--metrics=frechet", "--features=inception", "--weights=no.pb"],
            "error: inception: no.pb is no file; it is in http://download.tensorflow.org/models/image/",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, line):
    np.savez(tmp_path / "x.npz", np.random.default_rng(0).normal(size=(9, 12)))
    files = ["--samples=x.npz", "--data=x.npz"] if arguments else []
    done = command(*files, *arguments, cwd=tmp_path)  # of a flag the last one holds
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line) and done.stderr.count("\n") == 1
