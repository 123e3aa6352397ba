"""The search as a user meets it: mistakes that start nothing, what it writes and says, kills, workers."""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from bms_tf import tune
from bms_tf.core import command, config, files
from bms_tf.train import main as train
from bms_tf.tuning import report
from bms_tf.tuning.progress import Progress
from bms_tf.tuning.search import Setting
from bms_tf.tuning.workers import VARIABLES
from tests.commands import TIME_LIMIT, Command, free_ports

ROOT = Path(__file__).parents[1]
# The smallest system that trains: one phase of two small players.
TINY = """
include 'ring.gin'
include 'systems/bms_vae.gin'
import bms_tf.tuning.search
BMSVAEGAN.T = 1
code_size = 2
mlp.hidden = (4,)
generator/mlp.hidden = (4,)
encoder/mlp.hidden = (4,)
train.batch_size = 8
updates = 20  # as the shipped recipes for points have their length
train.generator_updates = %updates
train.log_every = 10
train.checkpoint_every = 10
train.evaluate_every = 20
train.samples = 50
train.metrics = [@mixture_scores]
ring.held_out = 300
train.steps_per_execution = 1
train.pictures = []

tune.space = {'adam.learning_rate': @rate/choice(), 'BMSVAEGAN.lambda_': @lambda/choice()}
rate/choice.values = (1e-3, 1e30)
lambda/choice.values = (0.1, 1.0)
tune.objectives = {'energy_distance': 'min', 'modes': 'max'}
tune.oracle = @grid_search
tune.finalists = 0
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a small sweep."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.gin").write_text(TINY)
    return tmp_path


def search(*arguments: str, folder: str = "search"):
    """The command in this process; its errors are raised."""
    with flagsaver.flagsaver():
        flags.FLAGS(["tune", "--gin_file=tiny.gin", f"--search_dir={folder}", *arguments])
        tune.main(None)


def refused(*arguments: str, **options) -> str:
    """The one line of a command that fails."""
    with pytest.raises((ValueError, OSError)) as caught:
        search(*arguments, **options)
    return command.one_line(caught.value)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def params(*settings: str) -> list[str]:
    return [f"--gin_param={setting}" for setting in settings]


# Mistakes. Nothing is started or written.


def swept(name: str, *values: str) -> list[str]:
    return params(f"tune.space = {{'{name}': @rate/choice()}}", f"rate/choice.values = ({', '.join(values)},)")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            swept("BMSVAEGN.T", "1"),
            "tune.space: 'BMSVAEGN.T = 1': no configurable 'BMSVAEGN'; did you mean 'BMSVAEGAN'?",
        ),
        (swept("adam.rate", "1.0"), "tune.space: 'adam.rate = 1.0': adam has no parameter 'rate'; "),
        (
            swept("BMSVAEGAN.T", "1.5"),
            "tune.space: 'BMSVAEGAN.T = 1.5': BMSVAEGAN.T is 1.5; it must be int",
        ),
        (
            swept("generatr/mlp.gain", "1.0"),
            "--gin_param 'generatr/mlp.gain = 1.0': generatr/mlp.gain has no effect: nothing uses the scope",
        ),
        (params("rate/choice.values = ()"), "rate/choice: choice.values is (); it must hold values, each once"),
        (
            params(
                "tune.space = {'adam.learning_rate': @x/interval()}", "x/interval.low = 1.0", "x/interval.high = 0.1"
            ),
            "x/interval: interval.low is 1.0 and high 0.1; low must be below high",
        ),
        (
            params(
                "tune.space = {'adam.learning_rate': @x/interval()}",
                "x/interval.low = 0.0",
                "x/interval.high = 0.1",
                "x/interval.log = True",
            ),
            "x/interval: interval.low is 0.0; with log it must be positive",
        ),
        (
            params("tune.objectives = {'hq_percen': 'max'}"),
            "tune.objectives: no metric gives 'hq_percen'; did you mean 'hq_percent'?; they give modes, ",
        ),
        (params("tune.objectives = {'modes': 'more'}"), "--gin_param \"tune.objectives = {'modes': 'more'}\": "),
        (params("tune.objectives = {}"), "tune: tune.space and tune.objectives must not be empty"),
        (params("tune.trials = 0"), "tune: tune.trials is 0; it must be positive"),
        (params("tune.oracle = @random_search"), "tune: tune.trials or tune.hours must be set: nothing else bounds"),
        (params("tune.seed = 0"), "train.seed is 0, which is a seed of tuning (tune.seed, tune.fresh_seeds); "),
        (params("tune.fresh_seeds = (100,)"), "tune: tune.fresh_seeds is (100,); each may occur once, and tune.seed"),
        (params("tune.oracle = @hyperband"), "hyperband.updates_per_epoch and hyperband.epochs must be set"),
    ],
)
def test_a_mistake_starts_nothing(here, arguments, line):
    assert refused(*arguments).startswith(line)
    assert os.listdir(here) == ["tiny.gin"]


def test_a_recipe_without_a_sweep(here):
    (here / "tiny.gin").write_text("include 'ring.gin'")
    assert refused() == "tune.space and tune.objectives must be set"


def test_a_folder_that_is_something_else(here):
    (here / "search").mkdir()
    (here / "search" / "thesis.txt").write_text("mine")
    assert refused() == "search is not empty, and not the folder of a search; take another --search_dir"


def variables(tuner_id: str, port: int) -> list[tuple[str, str]]:
    """KerasTuner's, for a chief or worker on this machine."""
    return list(zip(VARIABLES, (tuner_id, "127.0.0.1", str(port))))


def test_a_port_in_use(here, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        for item in variables("chief", server.getsockname()[1]):
            monkeypatch.setenv(*item)
        line = refused()
    assert re.fullmatch(r"the chief cannot listen on 127\.0\.0\.1:\d+: .*[Aa]ddress already in use.*", line)
    assert os.listdir(here) == ["tiny.gin"]


def test_a_worker_without_a_chief_gives_up(here, monkeypatch):
    (port,) = free_ports(1)
    for item in variables("worker0", port):
        monkeypatch.setenv(*item)
    begun = time.monotonic()
    assert refused("--chief_timeout=2") == f"the chief at 127.0.0.1:{port} did not answer within 2 s"
    assert time.monotonic() - begun < 30
    assert os.listdir(here) == ["tiny.gin"]


def test_half_of_the_variables(here, monkeypatch):
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    assert refused().endswith("these are not set: KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT")


# One search, and what can be done with its folder.


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A working directory with a finished search, and what it said. The rate 1e30 ends in a loss that is not finite."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "tiny.gin").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch, open(folder / "said", "w") as said:
        patch.chdir(folder)
        patch.setattr(sys, "stdout", said)
        search(*params("tune.finalists = 1", "tune.fresh_seeds = (101, 102)"))
    return folder


@pytest.fixture
def there(searched, monkeypatch):
    monkeypatch.chdir(searched)
    return searched


@pytest.mark.slow
def test_a_trial_is_an_ordinary_run(there):
    trials = rows(there / "search" / "trials.jsonl")
    values = [(row["values"]["adam.learning_rate"], row["values"]["BMSVAEGAN.lambda_"]) for row in trials]
    assert sorted(values) == [(1e-3, 0.1), (1e-3, 1.0), (1e30, 0.1), (1e30, 1.0)]
    for row, (rate, lambda_) in zip(trials, values):
        folder = there / "search" / row["run_dir"]
        text = (folder / "config.gin").read_text()
        assert f"adam.learning_rate = {rate}" in text and f"BMSVAEGAN.lambda_ = {lambda_}" in text
        assert "train.seed = 100" in text and "tune" not in text and "choice" not in text
        assert (folder / "operative.gin").exists()
        if rate == 1e-3:
            scores = json.loads((folder / "scores.json").read_text())["samples"]
            assert row["status"] == "COMPLETED" and row["scores"]["energy_distance"] == scores["energy_distance"]
            # KerasTuner's sum: the distance is to fall, the modes are to rise.
            assert row["score"] == pytest.approx(scores["energy_distance"] - scores["modes"])
        else:
            assert row["status"] == "FAILED" and row["score"] is None and "is not finite at step" in row["error"]


@pytest.mark.slow
def test_a_trial_is_what_train_makes_of_its_settings(there):
    best = min((row for row in rows(there / "search/trials.jsonl") if row["score"]), key=lambda row: row["score"])
    with flagsaver.flagsaver():
        lambda_ = best["values"]["BMSVAEGAN.lambda_"]
        settings = ("adam.learning_rate = 1e-3", f"BMSVAEGAN.lambda_ = {lambda_}", "train.seed = 100")
        flags.FLAGS(["train", "--gin_file=tiny.gin", "--run_dir=run", *params(*settings)])
        train(None)
    assert json.loads(Path("run/scores.json").read_text())["samples"] == pytest.approx(best["scores"], nan_ok=True)


@pytest.mark.slow
def test_the_winner_is_a_file_that_train_takes(there):
    text = (there / "search" / "best.gin").read_text()
    assert "tune" not in text.split("\n", 1)[1].replace("bms_tf.tune", "") and "train.seed" not in text
    config.load(["search/best.gin"])
    assert "#   python -m bms_tf.train --gin_file=search/best.gin --run_dir=search/best\n" in text
    assert "# It is as long as in the search, 20 generator updates. " in text
    with flagsaver.flagsaver():
        flags.FLAGS(["train", "--gin_file=search/best.gin", "--dry_run"])
        train(None)


@pytest.mark.slow
def test_the_best_are_run_on_seeds_that_the_search_has_not_seen(there):
    fresh = rows(there / "search" / "fresh_seeds.jsonl")
    assert [row["seed"] for row in fresh] == [101, 102]
    best = min((row for row in rows(there / "search/trials.jsonl") if row["score"]), key=lambda row: row["score"])
    assert {row["trial"] for row in fresh} == {best["trial"]}
    assert len({best["score"], *(row["score"] for row in fresh)}) == 3, "three seeds, three scores"
    mean = np.mean([row["score"] for row in fresh])
    chosen = (there / "search" / "best.gin").read_text()
    assert f"mean score (energy_distance - modes) {mean:.6g} over the seeds 101, 102" in chosen


def test_a_grid_that_is_cut_short_says_how_many_it_has(here, capsys):
    report.attach(Setting("search", ["tiny.gin"], ["tune.trials = 3"], ()), Progress())
    said = "tune.trials ends the search after the first 3 of its 4 trials\n"  # 2 rates by 2 weights
    assert capsys.readouterr().out.startswith(said)
    report.attach(Setting("search", ["tiny.gin"], [], ()), Progress())
    assert not capsys.readouterr().out.startswith("tune.trials")


@pytest.mark.slow
def test_what_one_sees(there):
    lines = (there / "said").read_text().splitlines()
    assert lines[0] == "checking the search before its first trial"
    assert lines[1] == (
        "a lower score (energy_distance - modes) is better: the objectives are added up, with a minus for each that "
        "should be large"
    )
    for number in (1, 2, 3, 4):
        begins, ends = (
            line for line in lines if line.startswith(f"trial {number - 1} ({number} of 4): learning_rate=")
        )
        assert begins.endswith(": running")
        assert re.search(
            r"(energy_distance [-\d.e]+, modes \d|failed: the loss .* not finite .*); .*\d:\d\d:\d\d left$", ends
        )
    for number, seed in ((1, 101), (2, 102)):
        begins, ends = (line for line in lines if line.startswith(f"fresh run {number} of 2, trial "))
        assert begins.endswith(f" on seed {seed}: running")
        assert re.search(rf" on seed {seed}: energy_distance [-\d.e]+, modes \d$", ends)
    table = lines.index(
        next(line for line in lines if re.fullmatch(r"trial +learning_rate +lambda_ +energy.* +modes", line))
    )
    order = [line.split()[0] for line in lines[table + 1 : table + 5]]
    scores = {row["trial"]: row["score"] for row in rows(there / "search/trials.jsonl")}
    assert scores[order[0]] <= scores[order[1]] and scores[order[2]] is None and scores[order[3]] is None
    assert lines[-1] == "python -m bms_tf.train --gin_file=search/best.gin --run_dir=search/best"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scores", "pareto", "fresh_seeds"])
def test_the_plots_are_pictures(there, name):
    pixels = tf.io.decode_png(tf.io.read_file(f"search/{name}.png"), channels=3).numpy()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


@pytest.mark.slow
def test_a_finished_search_runs_nothing_again(there, capsys):
    times = {path: path.stat().st_mtime_ns for path in (there / "search").rglob("checkpoints/*")}
    search(*params("tune.finalists = 1", "tune.fresh_seeds = (101, 102)"))
    assert {path: path.stat().st_mtime_ns for path in (there / "search").rglob("checkpoints/*")} == times
    assert "running" not in capsys.readouterr().out


@pytest.mark.slow
def test_another_search_is_refused_and_shown(there):
    line = refused(*params("lambda/choice.values = (0.1, 2.0)", "tune.seed = 99"))
    assert line == (
        "search holds a search with other settings (lambda/choice.values: was (0.1, 1.0), is now (0.1, 2.0); "
        "tune.seed: was not set, is now 99); take another --search_dir"
    )


@pytest.mark.slow
def test_two_searches_in_one_folder(there):
    with files.locked("search/lock", "searching in search"):
        assert refused() == f"process {os.getpid()} on {socket.gethostname()} is searching in search"


@pytest.mark.slow
def test_hyperband_trains_a_trial_further_from_its_own_checkpoint(here):
    sweep = (
        "rate/choice.values = (1e-3, 2e-3, 3e-3)",
        "tune.oracle = @hyperband",
        "hyperband.updates_per_epoch = 20",
        "hyperband.epochs = 2",
        "hyperband.factor = 2",
        "tune.trials = 3",
        "tune.objectives = {'energy_distance': 'min'}",
    )
    search(*params(*sweep))
    trials = rows(here / "search" / "trials.jsonl")
    # Two brackets of two epochs: ceil(2 / 2 * 2) = 2 trials of one epoch, of which one goes on to two.
    steps = [[row["step"] for row in rows(here / "search" / trial["run_dir"] / "metrics.jsonl")] for trial in trials]
    assert steps == [[10, 20], [10, 20], [10, 20, 30, 40]]
    parent = next(trial for trial in trials[:2] if trial["values"] == trials[2]["values"])
    assert parent["score"] == min(trial["score"] for trial in trials[:2])
    assert "resuming at step 20 of 40" in (here / "search" / trials[2]["run_dir"] / "log.txt").read_text()


# Real processes.


SETTINGS = ("rate/choice.values = (1e-3, 2e-3)", "train.generator_updates = 200")


def start(*settings: str, workers: int = 0) -> Command:
    flags = ["--gin_file=tiny.gin", "--search_dir=search", f"--workers={workers}", *params(*SETTINGS, *settings)]
    return Command("bms_tf.tune", flags, Path("log"), environment=os.environ | {"PYTHONPATH": str(ROOT)})


def until(condition, command: Command):
    deadline = time.monotonic() + TIME_LIMIT
    while not condition():
        assert command.runs() and time.monotonic() < deadline, command.said()
        time.sleep(0.02)


def oracle() -> dict:
    path = Path("search/oracle/oracle.json")
    return json.loads(path.read_text()) if path.exists() else {"ongoing_trials": {}, "end_order": []}


def ended() -> list[str]:
    return oracle()["end_order"]


def steps(trial: str) -> list[int]:
    path = Path("search/trials", trial, "metrics.jsonl")
    text = path.read_text() if path.exists() else ""
    return [json.loads(line)["step"] for line in text.splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.slow
def test_a_killed_search_goes_on_with_the_trial_it_was_in(here):
    process = start()
    until(lambda: len(ended()) == 1 and len(steps("1")) >= 3, process)
    process.signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert ended() == ["0"], "it was killed within the second trial"
    first = Path("search/trials/0/metrics.jsonl").stat().st_mtime_ns
    search(*params(*SETTINGS))
    assert sorted(ended()) == ["0", "1", "2", "3"]
    assert Path("search/trials/0/metrics.jsonl").stat().st_mtime_ns == first, "a finished trial is not run again"
    assert "resuming at step" in Path("search/trials/1/log.txt").read_text()
    assert [steps(trial) for trial in "0123"] == [list(range(10, 201, 10))] * 4
    values = {tuple(row["values"].values()) for row in rows(here / "search/trials.jsonl")}
    assert values == {(1e-3, 0.1), (1e-3, 1.0), (2e-3, 0.1), (2e-3, 1.0)}


CONTINUOUS = (
    "tune.space = {'adam.learning_rate': @x/interval()}",
    "x/interval.low = 1e-4",
    "x/interval.high = 1e-3",
    "tune.objectives = {'energy_distance': 'min'}",
)


def with_server(process: psutil.Process) -> list[psutil.Process]:
    """The process, and what it copies its processes from."""
    return [process, *(p for p in process.children() if "forkserver" in " ".join(p.cmdline()))]


def alive(folder: Path) -> list[psutil.Process]:
    """The processes that work in `folder`, but for this one and what it copies commands from."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = os.getpid() in (process.pid, process.ppid()) or process.status() == psutil.STATUS_ZOMBIE
            found += [process] if process.cwd() == str(folder) and not ours else []
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "number"), [(0, signal.SIGTERM), (0, signal.SIGKILL), (2, signal.SIGTERM), (2, signal.SIGINT)]
)
def test_no_process_outlives_its_search(here, workers, number):
    # It trains for long, so that only the signal can end it; a trial saves its state before.
    process = start("train.generator_updates = 10000000", workers=workers)
    until(lambda: len(steps("0")) >= 2, process)
    assert len(alive(here)) >= 2 + 2 * workers
    process.signal(number)
    said = Path("log")
    assert process.wait(60) == (-number if number == signal.SIGKILL else 128 + number), said.read_text()
    assert ("stopped; the same command continues the search" in said.read_text()) == (number == signal.SIGINT)
    deadline = time.monotonic() + 30
    while alive(here) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(here) == []
    assert "stopped by SIGTERM at step" in Path("search/trials/0/log.txt").read_text()


@pytest.mark.slow
def test_a_trial_in_which_processes_die_fails_and_the_search_goes_on(here, monkeypatch):
    # Out of memory is a SIGKILL. Here the score of one value kills, on the seed of the trials alone.
    (here / "dies.py").write_text(
        "import os, signal, gin\n"
        "@gin.configurable\n"
        "def dies(samples, reference, *, seed, fatal=0):\n"
        "    if fatal and seed == 100:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return {'energy_distance': 1.0}\n"
    )
    fatal = ("import dies", "train.metrics = [@dies]", "tune.space = {'dies.fatal': @rate/choice()}")
    end = ("rate/choice.values = (1, 0)", "tune.objectives = {'energy_distance': 'min'}")
    monkeypatch.syspath_prepend(here)
    search("--allow_import=dies", *params(*fatal, *end))
    trials = {row["values"]["dies.fatal"]: row for row in rows(here / "search/trials.jsonl")}
    assert (trials[0]["status"], trials[0]["score"]) == ("COMPLETED", 1.0)
    assert (trials[1]["status"], trials[1]["error"]) == ("FAILED", "3 processes died in it, the last by signal 9")
    # The first saved its state at step 10 of 20; the others took it up, and what they said is not lost with them.
    said = Path("search/trials", trials[1]["trial"], "log.txt").read_text()
    assert "10 more steps in about" in said and said.count("resuming at step 10 of 20") == 2


@pytest.mark.slow
def test_an_error_that_is_over_spoils_no_fresh_run(there, monkeypatch):
    # The worker's machine had been lost once; the run was started again and came to its end.
    (fresh, *_) = (there / "search/fresh").glob("*/seed_101")
    before = rows(there / "search/fresh_seeds.jsonl")
    (fresh / "error.txt").write_text("it ended with signal 9\n")
    search(*params("tune.finalists = 1", "tune.fresh_seeds = (101, 102)"))
    assert rows(there / "search/fresh_seeds.jsonl") == before and not (fresh / "error.txt").exists()


@pytest.mark.slow
def test_the_memory_of_a_search_does_not_grow_with_its_trials(here):
    # In one process a trial of this size took 13 MB for good. 200 trials may take 100 MB in all.
    process = start("tune.oracle = @random_search", "tune.trials = 8", "train.generator_updates = 10", *CONTINUOUS)
    memory, at_work = {}, psutil.Process(process.pid)
    while process.runs():
        with contextlib.suppress(psutil.Error):
            memory[len(ended())] = sum(p.memory_info().rss for p in with_server(at_work))
        time.sleep(0.1)
    assert process.wait() == 0, Path("log").read_text()
    assert memory[7] - memory[2] < 5 * 100e6 / 200, memory


@pytest.mark.slow
def test_a_worker_that_is_killed_is_started_again_and_loses_no_trial(here):
    chief = start("tune.finalists = 1", "tune.fresh_seeds = (101,)", workers=2)
    until(lambda: {"worker0", "worker1"} <= oracle()["ongoing_trials"].keys(), chief)
    trial = oracle()["ongoing_trials"]["worker1"]
    until(lambda: len(steps(trial)) >= 2, chief)
    (worker,) = (p for p in psutil.Process(chief.pid).children() if p.environ().get(VARIABLES[0]) == "worker1")
    worker.kill()
    assert trial not in ended(), "it was killed within its trial"
    assert chief.wait() == 0, Path("log").read_text()
    assert sorted(ended()) == ["0", "1", "2", "3"], "none lost, none counted twice"
    assert "resuming at step" in Path("search/trials", trial, "log.txt").read_text()
    trials = rows(here / "search/trials.jsonl")
    assert {row["status"] for row in trials} == {"COMPLETED"}
    assert len({tuple(row["values"].values()) for row in trials}) == 4
    (fresh,) = rows(here / "search/fresh_seeds.jsonl")
    assert fresh["seed"] == 101 and fresh["score"] is not None
    assert "on fresh seeds: " in Path("log").read_text() and "±" not in Path("log").read_text(), "one has no deviation"
    said = Path("log").read_text().splitlines()
    assert "2 workers are starting; what they say is in search/workers" in said
    assert any(re.fullmatch(rf"trial {trial} \(\d of 4\): .*: running on worker1", line) for line in said)
    assert f"trial {trial}: " in Path("search/workers/worker1.log").read_text(), "a worker says what it is at"
