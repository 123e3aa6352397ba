"""A study as a user meets it: mistakes that start nothing, a table, a stop, a kill, two commands on one folder."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from absl import flags
from absl.testing import flagsaver

from bms_tf import reproduce
from bms_tf.core import command
from bms_tf.tuning.progress import Progress
from tests.commands import TIME_LIMIT, Command

ROOT = Path(__file__).parents[1]
TINY = (ROOT / "tests/studies/tiny.gin").read_text()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.gin").write_text(TINY)
    return tmp_path


def run(*arguments):
    """The command in this process; its errors are raised."""
    with flagsaver.flagsaver():
        flags.FLAGS(["reproduce", *arguments])
        reproduce.main(None)


def refused(*arguments) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        run(*arguments)
    return command.one_line(caught.value)


def start(*arguments, name="log") -> Command:
    """The command as a process of its own."""
    flags = ["--study=tiny.gin", "--study_dir=study", *arguments]
    return Command("bms_tf.reproduce", flags, Path(name), environment=os.environ | {"PYTHONPATH": str(ROOT)})


def rows() -> list[dict]:
    path = Path("study/runs.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def until(condition, *processes):
    deadline = time.monotonic() + TIME_LIMIT
    while not condition():
        assert all(process.runs() for process in processes), Path("log").read_text()
        assert time.monotonic() < deadline, Path("log").read_text()
        time.sleep(0.05)


def workers(process):
    return [child for child in psutil.Process(process.pid).children() if "bms_tf.studies.worker" in child.cmdline()]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "--study is missing"),
        (["--study=gmae"], "--study is 'gmae'; did you mean 'game'?"),
        (["--study=tiny.gin", "--retry", "--dry_run"], "--retry forgets failed runs to run them again; --dry_run and"),
        (["--study=nothing"], "--study is 'nothing'; there are celeba128, celeba64, "),
        (["--study=mine.gin"], "no gin file 'mine.gin'"),
    ],
)
def test_a_study_that_is_not_there(here, arguments, line):
    assert line in refused(*arguments)
    assert os.listdir(here) == ["tiny.gin"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("gin/systems/bms_vae.gin", "gin/systems/bms_vea.gin", "no gin file 'gin/systems/bms_vea.gin'"),
        ("@best_score()", "@best_scroe()", "no configurable 'best_scroe'; did you mean 'best_score'?"),
        ("'BMSVAEGAN.T': 2", "'BMSVAEGAN.t': 2", "BMSVAEGAN has no parameter 't'"),
        ("@one/method()]", "@one/metod()]", "no configurable 'metod'; did you mean 'method'?"),
        ("score = 'energy_distance'", "score = 'fd'", "study.rule reads 'fd', which is no column of ring; there are"),
        ("study.protocol = ", "study.hardware = ", "study.protocol must be set"),
        ("one/method.name = ", "oen/method.name = ", "one/method.name must be set"),
        ("best_score.direction = 'min'", "", "best_score.direction must be set"),
        ("study.seeds = (0, 1)", "study.seeds = (0, 100)", "the seeds (0, 100) hold 100, the seed of tuning"),
    ],
)
def test_a_wrong_study_starts_nothing(here, old, new, line):
    assert old in TINY
    Path("tiny.gin").write_text(TINY.replace(old, new))
    assert line in refused("--study=tiny.gin", "--study_dir=study")
    assert not Path("study").exists()


def test_every_shipped_study_is_listed(capsys):
    run("--list")
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(path.stem for path in (ROOT / "gin/studies").glob("*.gin"))


def test_a_study_for_a_gpu_says_what_it_would_cost_elsewhere(here):
    # Two methods, each with 2 trials and 2 seeds of one line.
    gpu = "\nstudy.gpu = True\nstudy.hours = {'ring': 5}\nstudy.hardware = 'one GPU'\n"
    Path("tiny.gin").write_text(TINY + gpu)
    line = refused("--study=tiny.gin", "--study_dir=study")
    assert "tiny is meant for a GPU, and there is none: 8 runs, about 40 hours on one GPU (estimated)" in line


def test_the_table_of_a_study_without_runs(here, capsys):
    run("--study=tiny.gin", "--study_dir=study", "--table")
    assert capsys.readouterr().out == "study has no finished run so far, and no table\n"
    assert not Path("study/table.md").exists()


def test_what_a_library_prints_in_a_worker_is_shown_and_stops_no_reader(capsys):
    event = {"name": "ring, A", "folder": "nowhere", "says": "modes 8", "runs": False}
    words = ["a word of a library\n", '{"a": 1}\n', '{"cut\n', "[2]\n"]
    reproduce.follow([*words, json.dumps(event) + "\n"], Progress())
    assert capsys.readouterr().out == "".join(words) + "ring, A: modes 8\n"


def test_a_terminal_that_is_gone_stops_no_reader(monkeypatch):
    read = []

    def gone(line):
        read.append(line)
        raise BrokenPipeError

    progress = Progress()
    monkeypatch.setattr(progress, "say", gone)
    reproduce.follow(["a\n", "b\n"], progress)
    assert read == ["a", "b"]


@pytest.mark.slow
def test_a_dry_run_says_what_is_left_and_leaves_nothing(here, capfd):
    run("--study=tiny.gin", "--dry_run")
    timing, left = capfd.readouterr().out.splitlines()[:2]
    assert timing == "timing a few steps of the study's runs, of 2 kinds, to say what it takes"
    assert left.startswith("8 runs are left, 0 are done; about ")
    assert os.listdir(here) == ["tiny.gin"]


@pytest.mark.slow
def test_data_that_is_not_there_is_told_with_the_cost(here):
    text = (
        TINY.replace("gin/ring.gin", "gin/image_folder.gin") + "study.hours = {'ring': 1}\nstudy.hardware = 'a GPU'\n"
    )
    text = text.replace(
        "'mixture_scores.std': 1.0,\n    'ring.held_out': 300",
        "'image_folder.folder': '/nowhere', 'data_shape': (8, 8, 3)",
    )
    text = text.replace("'mlp.hidden': (4,),", "").replace("'generator/mlp.hidden': (4,),", "")
    text = text.replace("'encoder/mlp.hidden': (4,),", "")
    Path("tiny.gin").write_text(text)
    line = refused("--study=tiny.gin", "--study_dir=study")
    assert line.startswith("tiny cannot start: ") and "/nowhere" in line
    assert line.endswith("in all it is 8 runs, about 8 hours on a GPU (estimated)")


@pytest.mark.slow
def test_a_column_that_no_metric_gives(here):
    Path("tiny.gin").write_text(TINY.replace("{'modes': 'max', ", "{'modes': 'max', 'hq_percnt': 'max', "))
    assert "no metric of ring gives 'hq_percnt'; did you mean 'hq_percent'?" in refused("--study=tiny.gin")


@pytest.mark.slow
def test_what_evaluate_and_a_metric_of_ones_own_add_stands_in_the_table(here, monkeypatch):
    monkeypatch.syspath_prepend(str(here))
    Path("own.py").write_text(
        "import gin\n\n\n@gin.configurable\ndef spread(samples, reference, *, seed):\n"
        "    return {'spread': float(samples.std())}\n"
    )
    Path("own.gin").write_text("import own\ntrain.metrics = [@mixture_scores, @spread]\n")
    text = (
        TINY.split("study.methods")[0]
        + """
study.methods = [@vae/method()]
study.seeds = (3, 4)
study.protocol = '50 samples'
study.columns = {'modes': 'max', 'recall': 'max', 'spread': None}
study.evaluations = {'ring': ('--metrics=precision_recall --n=50 --n_real=50',)}
vae/method.name = 'VAE'
vae/method.files = ('own.gin',)
vae/method.params = {'BMSVAEGAN.T': 1}
"""
    )
    Path("tiny.gin").write_text(text)
    assert "import of 'own' is refused" in refused("--study=tiny.gin", "--study_dir=study")
    run("--study=tiny.gin", "--study_dir=study", "--allow_import=own")
    for row, seed in zip(rows(), (3, 4)):
        assert row["samples"]["spread"] > 0 and 0 <= row["samples"]["recall"] <= 1 and 0 < row["real"]["recall"] <= 1
        assert {line["protocol"]["seed"] for line in row["evaluations"]} == {row["seed"]} == {seed}
        assert {line["protocol"]["n_generated"] for line in row["evaluations"]} == {50}
    assert "| 3 4 |" in Path("study/table.md").read_text()


@pytest.mark.slow
def test_a_study_is_stopped_killed_continued_and_shared_and_no_run_is_done_twice(here):
    # Seeds enough that both commands find runs, whichever imports TensorFlow first.
    seeds = (0, 1, 2, 3)
    Path("tiny.gin").write_text(TINY.replace("(0, 1)", str(seeds)))
    # Stopped in its first runs: all workers end, with their checkpoints.
    process = start("--jobs=2")
    until(lambda: len(list(Path("study/runs").glob("*/*/*/*/checkpoints/*"))) >= 2, process)
    children = workers(process)
    assert len(children) == 2
    process.signal(signal.SIGTERM)
    assert process.wait(120) == 128 + signal.SIGTERM
    assert "stopped; the same command continues the study" in Path("log").read_text()
    assert not any(child.is_running() for child in children)
    assert not list(Path("study/runs").glob("**/deaths")), "a stop is no death"

    # Continued by two commands, of one of which a worker is killed in the middle of a run.
    processes = [start("--jobs=1"), start("--jobs=1", name="other_log")]
    until(lambda: all(map(workers, processes)) and len(rows()) >= 2)
    workers(processes[0])[0].kill()
    assert processes[0].wait() == 1
    assert "workers ended with -9; the same command continues the study" in Path("log").read_text()
    assert processes[1].wait() == 0, Path("other_log").read_text()
    counts = Counter((row["method"], str(row["setting"]), row["seed"]) for row in rows())
    assert set(counts.values()) == {1}
    assert not [row["error"] for row in rows() if "error" in row]

    # Of each method 2 trials, one or two more as both are at an edge, and its seeds.
    trials = [row for row in rows() if row["seed"] == 100]
    assert len(trials) in (6, 8) and len(rows()) == len(trials) + 2 * len(seeds)
    assert {row["samples"]["modes"] > 0 for row in rows()} == {True}
    assert {tuple(entry["step"] for entry in row["path"]) for row in rows()} == {(10, 20)}
    assert {row["machine"]["threads"] for row in trials} <= {max(1, os.cpu_count() // jobs) for jobs in (1, 2)}
    table = Path("study/table.md").read_text()
    assert "| BMS-VAE, T = 2 |" in table and "| real data |" in table and "Not run" not in table
    # The other command may have come when all was done; a line of a run begins with its data.
    assert "\nBMS-VAE, T = 2 " in Path("other_log").read_text(), "the table is printed"

    # Once more: nothing is left to do.
    done = Path("study/runs.jsonl").read_text()
    run("--study=tiny.gin", "--study_dir=study")
    assert Path("study/runs.jsonl").read_text() == done
