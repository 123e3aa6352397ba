"""What tells one run's folder from another's, and what is said of a damaged one."""

import json
import math
from pathlib import Path

import pytest

from bms_tf.core import files
from bms_tf.core.run_folder import RunFolder
from tests import truncated

SETTINGS = "train.seed = 1\ntrain.batch_size = 8\n"
HASHES = {"first_batch_sha256": "a", "test_split_sha256": "b"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.gin").write_text(SETTINGS)
    found = RunFolder(str(tmp_path))
    found.write_data(HASHES, 0)
    return found


def test_the_same_settings_and_data_pass_and_length_and_devices_may_change(folder):
    folder.check_settings("train.batch_size = 8\ntrain.seed = 1\ntrain.generator_updates = 7\n")
    folder.check_data(HASHES)


def test_others_are_named(folder):
    with pytest.raises(ValueError) as caught:
        folder.check_settings("train.seed = 2\ntrain.batch_size = 8\n")
    assert str(caught.value) == (
        f"{folder.path} holds a run with other settings (train.seed: was 1, is now 2); take another --run_dir"
    )
    with pytest.raises(ValueError) as caught:
        folder.check_data(HASHES | {"test_split_sha256": "c"})
    assert str(caught.value) == (
        f"{folder.path} holds a run on other data (another test split than at its start); --other_data goes on with "
        "these"
    )


@pytest.mark.parametrize(
    ("file", "what"),
    [("search.gin", "a search"), ("study.gin", "a study"), ("1/saved_model.pb", "exported models")],
)
def test_a_folder_of_something_else_is_refused_as_it_is(tmp_path, file, what):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(ValueError) as caught:
        RunFolder(str(tmp_path)).locked()
    assert str(caught.value) == f"{tmp_path} holds {what}, no run; take another --run_dir"
    assert [path.name for path in tmp_path.iterdir()] == [Path(file).parts[0]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "damaged (it is empty)"),
        (b"\0" * 50, "damaged (it is empty)"),
        (b"\xff\xfe", "damaged ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
        (truncated.TEXT.encode(), f"line {truncated.LINE}: {truncated.FAULT}"),
    ],
)
def test_damaged_settings_are_no_other_settings(folder, tmp_path, content, why):
    (tmp_path / "config.gin").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        folder.check_settings(SETTINGS)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/config.gin cannot be compared with these settings ({why}") and "\n" not in line
    assert line.endswith("); put it back, or delete it to go on with these")
    (tmp_path / "config.gin").unlink()
    folder.check_settings(SETTINGS)


@pytest.mark.parametrize(
    ("content", "why"), [(b"{", "Expecting property name"), (b"[]", "it is no JSON object"), (b"\xff", "'utf-8' codec")]
)
def test_damaged_hashes_of_the_data(folder, tmp_path, content, why):
    (tmp_path / "data.json").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        folder.check_data(HASHES)
    assert str(caught.value).startswith(f"{tmp_path}/data.json is damaged ({why}")
    assert str(caught.value).endswith("); delete it to go on without a comparison of the data")
    (tmp_path / "data.json").unlink()
    folder.check_data(HASHES)


def test_the_hashes_of_earlier_data_stay(folder, tmp_path):
    read = lambda: json.loads((tmp_path / "data.json").read_text())  # noqa: E731
    folder.write_data(HASHES, 10)
    assert read() == HASHES
    for step, value in ((20, "c"), (30, "d")):
        folder.write_data(HASHES | {"test_split_sha256": value}, step)
    earlier = [{"until_step": 20, **HASHES}, {"until_step": 30, **HASHES, "test_split_sha256": "c"}]
    assert read() == {**HASHES, "test_split_sha256": "d", "earlier": earlier}


def test_scores_are_those_of_their_step(folder, tmp_path):
    assert folder.scores_of(40) is None
    folder.write_scores(40, {"samples": {"modes": 8.0}})
    assert folder.scores_of(40) == {"samples": {"modes": 8.0}} and folder.scores_of(60) is None
    (tmp_path / "scores.json").write_text('{"samples": {}}')  # of an older version, which did not say
    assert folder.scores_of(40) is None


def test_generator_updates_are_those_of_the_lines(folder, tmp_path):
    assert folder.generator_updates(7) is None
    (tmp_path / "metrics.jsonl").write_text('{"step": 10, "generator_updates": 20}\n')
    assert folder.generator_updates(7) == 14


def test_a_score_that_is_not_finite_is_null(folder, tmp_path):
    folder.write_scores(40, {"samples": {"modes": 8.0, "std_ratio_min": math.nan}, "data": {"modes": math.inf}})
    assert json.loads((tmp_path / "scores.json").read_text())["data"] == {"modes": None}
    scores = folder.scores_of(40)
    assert scores == {"samples": {"modes": 8.0, "std_ratio_min": None}, "data": {"modes": None}}
    assert math.isnan(files.number(scores["data"]["modes"])) and files.number(8) == 8.0
