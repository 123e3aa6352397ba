"""What a study asks of `bms_tf.evaluate`, by a stand-in for its process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from bms_tf.studies import evaluating
from bms_tf.studies.folder import row_of
from bms_tf.studies.study import Job
from bms_tf.studies.table import check_protocols, protocol_of

FLAGS = "--metrics=ivom,frechet --weights=$WEIGHTS --n=100"
LINE = {"name": "ivom", "value": 0.5, "floor": 0.1, "protocol": {"n_real": 100, "seed": 3}}


@pytest.fixture
def answer(monkeypatch):
    """Sets how the process ends; returns the commands that were started."""
    commands = []

    def set_to(*, stdout="", stderr="", returncode=0, lines=()):
        def run(command, **_):
            commands.append(command)
            out = [Path(flag.removeprefix("--out=")) for flag in command if flag.startswith("--out=")]
            for path in out:
                assert not path.exists()
                path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            return subprocess.CompletedProcess(command, returncode, stdout, stderr)

        monkeypatch.setattr(evaluating.subprocess, "run", run)
        monkeypatch.setattr(evaluating, "find_spec", lambda name: name)
        return commands

    return set_to


def test_a_version_without_evaluate(monkeypatch):
    evaluating.check([])
    monkeypatch.setattr(evaluating, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="evaluate --metrics=ivom,.*; this version has no bms_tf.evaluate"):
        evaluating.check([FLAGS])


def test_a_metric_that_evaluate_does_not_have(answer):
    answer(stdout="frechet   The distance.\nkid       Another.\n")
    with pytest.raises(ValueError, match="bms_tf.evaluate has no ivom; it has frechet, kid"):
        evaluating.check([FLAGS])


def test_a_file_whose_place_is_not_said(answer, monkeypatch):
    answer(stdout="frechet  a\nivom  b\n")
    monkeypatch.delenv("WEIGHTS", raising=False)
    with pytest.raises(ValueError, match="set the environment's WEIGHTS to that file"):
        evaluating.check([FLAGS])
    with pytest.raises(ValueError, match="set the environment's WEIGHTS to that file"):
        evaluating.check([FLAGS.replace("$WEIGHTS", "${WEIGHTS}")])
    monkeypatch.setenv("WEIGHTS", "a.pb")
    evaluating.check([FLAGS])


def test_a_folder_with_commas_is_one_model(answer, tmp_path):
    commands = answer(lines=[LINE])
    folder = tmp_path / 'rate=1, "T"=2'
    folder.mkdir()
    evaluating.evaluate(["--metrics=b"], str(folder), seed=3)
    (given,) = (flag for flag in commands[0] if flag.startswith("--model="))
    assert flags.ListParser().parse(given.removeprefix("--model=")) == [str(folder)]


def test_the_scores_of_all_calls_are_in_the_line_of_the_run(answer, monkeypatch, tmp_path):
    monkeypatch.setenv("WEIGHTS", "my file.pb")
    (tmp_path / "scores.json").write_text('{"samples": {"hq": 2.0}, "data": {"hq": 9.0}}')
    (tmp_path / "evaluation.new.jsonl").write_text("left by a process that died")
    commands = answer(lines=[LINE])
    evaluating.evaluate([FLAGS, "--metrics=b"], str(tmp_path), seed=3)
    assert commands[0][:3] == [sys.executable, "-m", "bms_tf.evaluate"] and "--weights=my file.pb" in commands[0]
    assert f'--model="{tmp_path}"' in commands[0] and "--seed=3" in commands[0] and len(commands) == 2
    row = row_of(Job("ring", "a", (), 3), str(tmp_path))
    assert row["samples"] == {"hq": 2.0, "ivom": 0.5} and row["real"] == {"hq": 9.0, "ivom": 0.1}
    assert len(row["evaluations"]) == 2


def test_a_call_that_fails(answer, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTS", "a.pb")
    answer(returncode=1, stderr="a warning\nerror: a.pb is no network\n")
    with pytest.raises(ValueError, match=r"bms_tf.evaluate --metrics=ivom,frechet .*: a.pb is no network"):
        evaluating.evaluate([FLAGS], str(tmp_path), seed=3)
    assert evaluating.scores(str(tmp_path)) == []


def test_the_protocol_of_an_evaluation_is_that_of_the_table():
    def row(**changes):
        return {"config": [], "evaluations": [LINE | {"protocol": LINE["protocol"] | changes}]}

    check_protocols("ring", {"a": protocol_of(row()), "b": protocol_of(row(seed=4))})
    with pytest.raises(ValueError, match="table of ring: n_real of ivom is 100 in a, and 50 in b"):
        check_protocols("ring", {"a": protocol_of(row()), "b": protocol_of(row(n_real=50))})
