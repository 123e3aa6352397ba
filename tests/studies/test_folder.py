"""A study's folder: claims, records, what may change, and what a kill leaves behind."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bms_tf.core import config, gin_text, startup
from bms_tf.studies import worker
from bms_tf.studies.folder import DEATHS, Folder, row_of, seconds, slug
from bms_tf.studies.study import Job
from bms_tf.tuning import search
from tests import truncated

TINY = (Path(__file__).parent / "tiny.gin").read_text()
JOB = Job("ring", "VAE", (("adam.learning_rate", 0.001),), 100)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.gin").write_text(TINY)
    return tmp_path


def enter(text=TINY, path="study"):
    Path("tiny.gin").write_text(text)
    return Folder.enter(path, "tiny.gin")


def row(job=JOB, **more):
    return {**job.as_row(), "samples": {"modes": 8.0}, "real": {}, "path": [], **more}


def test_a_run_is_claimed_by_one_process_and_a_dead_one_lets_it_go(here):
    folder = enter()
    with folder.claimed(JOB) as ours, folder.claimed(JOB) as again:
        assert ours and not again
    lock = folder.run_dir(JOB) + ".lock"
    code = f"import fcntl; f = open({lock!r}); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with folder.claimed(JOB) as ours:
            assert not ours
        with folder.claimed(JOB._replace(seed=0)) as ours:
            assert ours, "another run is free"
        other.kill()
    with folder.claimed(JOB) as ours:
        assert ours


def test_what_is_recorded_is_not_claimed_again_wherever_its_folder_is(here):
    folder = enter()
    folder.record(row())
    with folder.claimed(JOB) as ours:
        assert not ours
    assert folder.done() == {JOB: row()}


@pytest.mark.parametrize("line", ["{", "[1]", '{"data": "ring"}', "null", "[" * 100_000])
def test_a_damaged_line_is_named(here, line):
    folder = enter()
    folder.record(row())
    with open(folder.file("runs.jsonl"), "a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError) as caught:
        folder.done()
    assert str(caught.value) == "study/runs.jsonl:2 is damaged; without this line, its run is made again"


def test_a_line_that_a_crash_cut_off_is_no_line(here):
    folder = enter()
    folder.record(row())
    with open(folder.file("runs.jsonl"), "a") as file:
        file.write('{"data": "ri')
    other = JOB._replace(seed=1)
    assert folder.done().keys() == {JOB}
    folder.record(row(other))
    assert folder.done().keys() == {JOB, other}


def test_failed_runs_are_forgotten_and_nothing_else(here):
    folder, untrained, trained = enter(), JOB._replace(seed=0), JOB._replace(seed=1)
    folder.record(row())
    for job in (untrained, trained):
        folder.record({**job.as_row(), "error": "not finite", "path": []})
        Path(folder.run_dir(job)).mkdir(parents=True)
        Path(folder.run_dir(job), "error.txt").write_text("not finite\n")
    Path(folder.run_dir(trained), "scores.json").write_text("{}")
    assert folder.forget_failed() == 2
    assert folder.done().keys() == {JOB} and not Path(folder.run_dir(untrained)).exists()
    assert Path(folder.run_dir(trained), "scores.json").exists(), "only its evaluation failed"


def test_what_was_finished_as_its_process_died_is_recorded_without_training(here, monkeypatch, capsys):
    folder = enter()
    Path(folder.run_dir(JOB)).mkdir(parents=True)
    scores = '{"step": 20, "samples": {"modes": 8.0, "energy_distance": 0.5}, "data": {"modes": 8.0}}'
    Path(folder.run_dir(JOB), "scores.json").write_text(scores)
    monkeypatch.setattr(search, "train", lambda *_: pytest.fail("it is trained again"))
    assert worker.run(folder, JOB, 1)
    assert folder.done()[JOB]["samples"]["energy_distance"] == 0.5
    assert "modes 8, energy_distance 0.5" in capsys.readouterr().out
    assert not worker.run(folder, JOB, 1), "it is recorded"


@pytest.mark.parametrize("left", ["error.txt", "deaths"])
def test_an_evaluation_is_repeated_after_an_error_or_deaths(here, monkeypatch, left):
    """A retry had found the deaths again, and an error whose process died before it was recorded had stayed."""
    folder = enter()
    Path(folder.run_dir(JOB)).mkdir(parents=True)
    scores = {"step": 20, "samples": {"modes": 8.0, "energy_distance": 0.5}, "data": {"modes": 8.0}}
    Path(folder.run_dir(JOB), "scores.json").write_text(json.dumps(scores))
    Path(folder.run_dir(JOB), left).write_text(f"{DEATHS}\n")
    if left == "deaths":
        assert worker.run(folder, JOB, 1) and folder.done()[JOB]["error"] == "3 processes died in this run"
        assert folder.forget_failed() == 1
    monkeypatch.setattr(search, "train", lambda *_: pytest.fail("it is trained again"))
    assert worker.run(folder, JOB, 1)
    assert folder.done()[JOB]["samples"] == scores["samples"]


def test_an_error_is_the_line_of_its_run(here, monkeypatch):
    folder = enter()
    monkeypatch.setattr(search, "train", lambda *_: 1 / 0)
    assert worker.run(folder, JOB, 1)
    assert folder.done()[JOB]["error"] == "division by zero"
    assert not Path(folder.run_dir(JOB), "deaths").exists()


def test_a_worker_whose_parent_ends_while_tensorflow_is_imported_runs_nothing(here, monkeypatch):
    def tensorflow():
        monkeypatch.setattr(os, "getppid", lambda: 1)
        return SimpleNamespace(get_logger=lambda: logging.getLogger("test"))

    enter()
    monkeypatch.setattr(startup, "import_tensorflow", tensorflow)
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("it runs"))
    worker.work("study")


def test_a_run_in_which_process_after_process_dies_has_failed(here):
    folder = enter()
    deaths = Path(folder.run_dir(JOB), "deaths")
    with pytest.raises(RuntimeError), folder.counting_deaths(JOB):
        assert deaths.read_text() == "1\n"
        raise RuntimeError  # an error is no death
    assert not deaths.exists()
    deaths.write_text(f"{DEATHS}\n")
    with pytest.raises(ValueError, match="3 processes died in this run"), folder.counting_deaths(JOB):
        pass


def test_a_folder_of_something_else(here):
    Path("study").mkdir()
    Path("study/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="study is not empty, and not the folder of a study"):
        enter()


def test_records_alone_are_the_beginning_of_a_folder(here):
    Path("study").mkdir()
    Path("study/runs.jsonl").write_text(json.dumps(row()) + "\n")
    assert enter().done().keys() == {JOB}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("study.trials = 2", "study.trials = 2\nstudy.tuning_seed = 7", "study.tuning_seed: was not set, is now 7"),
        ("score = 'energy_distance'", "score = 'modes'", "best_score.score: was energy_distance, is now modes"),
        ("direction = 'min'", "direction = 'max'", "best_score.direction: was min, is now max"),
        ("'BMSVAEGAN.T': 2", "'BMSVAEGAN.T': 3", "many/method.params"),
        ("'train.samples': 50", "'train.samples': 60", "study.params"),
    ],
)
def test_a_folder_of_another_study(here, old, new, line):
    enter().record(row())
    with pytest.raises(ValueError) as caught:
        enter(TINY.replace(old, new))
    assert line in str(caught.value) and "take another --study_dir" in str(caught.value)


def test_two_methods_do_not_share_a_folder(here):
    """Blanks and commas become one character in a file's name."""
    text = re.sub("(one/method.name = ).*", r"\1'T 2'", re.sub("(many/method.name = ).*", r"\1'T, 2'", TINY))
    with pytest.raises(ValueError, match="'T 2' on 'ring' .*would share their files in study; rename one of them"):
        enter(text)


def test_before_its_first_run_a_folder_takes_the_study_as_it_now_is(here):
    """As after a start that was refused, or that named a cost that is too large."""
    Path("mine.gin").write_text("include 'ring.gin'\n")
    text = TINY.replace("'gin/ring.gin'", "'mine.gin'")
    times = Path(enter(text).file("compute.json"))
    times.write_text("[]")
    enter(text)
    assert times.exists()
    Path("mine.gin").write_text("include 'ring.gin'\nadam.beta_1 = 0.25\n")
    folder = enter(text.replace("'train.samples': 50", "'train.samples': 60"))
    assert folder.study.params["train.samples"] == 60 and not times.exists()
    folder.configure(JOB)
    assert gin_text.values(config.as_text())["adam.beta_1"] == 0.25


@pytest.mark.parametrize("file", ["study.gin", "recipes/ring_VAE.gin"])
@pytest.mark.parametrize(
    ("content", "line"), [(truncated.TEXT, f":{truncated.LINE}: {truncated.FAULT}"), ("\xff", " is damaged (")]
)
def test_a_damaged_file_of_a_study_is_named(here, file, content, line):
    folder = enter()
    folder.record(row())
    Path(folder.file(file)).write_text(content, encoding="latin-1")
    with pytest.raises(ValueError) as caught:
        enter()
    assert str(caught.value).startswith(f"study/{file}{line}")


def test_more_seeds_and_methods_and_other_words_continue_a_study(here):
    enter().record(row())
    more = TINY.replace("(0, 1)", "(0, 1, 2)").replace("'tiny'", "'small'").replace("(0.5, 0.1)", "(0.6, 0.1)")
    more = more.replace("@one/method()]", "@one/method(), @fixed/method()]") + "\nfixed/method.name = 'fixed'\n"
    more += "fixed/method.params = {'BMSVAEGAN.T': 1}\n"
    study = enter(more).study
    assert study.seeds == (0, 1, 2) and len(study.methods) == 3


def test_an_edit_of_a_recipe_changes_no_run_and_is_told(here, capsys):
    Path("mine.gin").write_text("include 'ring.gin'\n")
    text = TINY.replace("'gin/ring.gin'", "'mine.gin'")
    enter(text).record(row())
    Path("mine.gin").write_text("include 'ring.gin'\nadam.beta_1 = 0.25\n")
    folder = enter(text)
    assert "adam.beta_1: was 0.5, is now 0.25" in capsys.readouterr().out
    folder.configure(JOB)
    assert gin_text.values(config.as_text())["adam.beta_1"] == 0.5


def test_a_kept_study_has_its_columns_and_parameters_in_the_order_in_which_they_were_written(here):
    study = enter().study
    assert list(study.columns) == ["modes", "energy_distance"]
    assert list(study.params)[:4] == ["code_size", "mlp.hidden", "generator/mlp.hidden", "encoder/mlp.hidden"]


def test_methods_of_one_table_are_scored_alike(here):
    with pytest.raises(ValueError, match="train.samples is 50 in BMS-VAE, T = 2, and 60 in VAE"):
        enter(TINY.replace("'BMSVAEGAN.T': 1,", "'BMSVAEGAN.T': 1, 'train.samples': 60,"))
    assert not Path("study").exists()


def test_the_settings_of_a_run(here):
    folder = enter()
    folder.configure(JOB._replace(setting=(("adam.learning_rate", 0.01),)))
    values = gin_text.values(config.as_text())
    assert values["adam.learning_rate"] == 0.01 and values["train.seed"] == 100 and values["BMSVAEGAN.T"] == 1
    assert values["train.generator_updates"] == 20
    assert folder.run_dir(JOB).endswith("study/runs/ring/VAE/learning_rate=0.001/seed_100")


def test_file_names():
    assert slug("BMS-VAE-GAN, T = 10") == "BMS-VAE-GAN_T_=_10"
    assert slug("@a") != slug("@@a") and "/" not in slug("a/b")


def test_the_line_of_a_run_has_everything(here):
    run = Path("run")
    run.mkdir()
    (run / "scores.json").write_text('{"samples": {"hq": 2.0}, "data": {"hq": 9.0}}')
    logs = [{"step": 1, "generator_updates": 1, "loss": 3.0, "seconds": 1.0}]
    logs += [{"step": 2, "generator_updates": 2, "loss": 2.0, "hq": 1.0, "seconds": 2.5}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(log) + "\n" for log in logs) + '{"step": 3')
    (run / "config.gin").write_text("# a comment\n\ntrain.seed = 100\n")
    made = row_of(JOB, "run")
    assert made == {
        **JOB.as_row(),
        "samples": {"hq": 2.0},
        "real": {"hq": 9.0},
        "evaluations": [],
        "path": [{"step": 2, "hq": 1.0}],
        "last": logs[1],
        "seconds": 2.5,
        "config": ["train.seed = 100"],
    }
    (run / "data.json").write_text('{"test_split_sha256": "ab"}')
    assert row_of(JOB, "run")["data_hashes"] == {"test_split_sha256": "ab"}
    (run / "error.txt").write_text("not finite\n")
    assert row_of(JOB, "run")["error"] == "not finite" and "samples" not in row_of(JOB, "run")


def test_the_clock_of_a_log_begins_anew_with_each_sitting():
    # 1, 5 | 2, 4 | 3: three sittings of 5, 4 and 3 seconds.
    assert seconds([1.0, 5.0, 2.0, 4.0, 3.0]) == 12.0
    assert seconds([]) == 0
