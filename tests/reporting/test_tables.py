"""The tables of a report: differences, floors, letters for protocols, and the files they are written to."""

import csv
import io
import json

import pytest

from bms_tf.reporting import runs, tables
from bms_tf.reporting.page import Report


def read(*folders):
    return [runs.read(str(folder), folder.name) for folder in folders]


def test_how_runs_differ(make_run):
    found = tables.settings(read(make_run(), make_run("two", seed=1, rate=0.01)), differ=True)
    assert found.rows == [["setting", "one", "two"], ["Adam.rate", "0.001", "0.01"], ["train.seed", "0", "1"]]
    shared = tables.settings(read(make_run("three")), differ=False)
    assert ["train.batch_size", "8"] in shared.rows


def test_scores_with_their_floors(make_run):
    assert tables.scores(read(make_run())).rows == [
        ["score", "one", "real data (ring)"],
        ["step", "40", ""],
        ["hq_percent", "98.5", "99.25"],
        ["modes", "not finite", "8"],
    ]


def test_real_data_are_named(make_run):
    found = tables.scores(read(make_run(), make_run("two", data="grid")))
    assert found.rows[0] == ["score", "one (a)", "real data (ring)", "two (b)", "real data (grid)"]


def test_different_protocols_bear_letters(make_run):
    found = tables.scores(read(make_run(), make_run("two", samples=5000), make_run("three", seed=2)))
    floor = "real data (ring)"
    assert found.rows[0] == ["score", "one (a)", floor, "two (b)", floor, "three (a)", floor]
    assert found.notes[1:] == ["(a): train.samples 2500.", "(b): train.samples 5000."]


def test_a_run_that_trains_has_no_scores(make_run):
    folder = make_run()
    (folder / "scores.json").unlink()
    (run,) = read(folder)
    assert tables.scores([run]).rows == [["score"]]
    assert tables.overview([run]).rows[1][-2:] == ["not finished", "0.1 min"]  # 4 seconds


def test_evaluations_and_versions(make_run, evaluation):
    folder = make_run()
    lines = [evaluation(value=0.25), evaluation(), evaluation("recall", 0.125, None, n_generated=500)]
    (folder / "evaluation.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run,) = read(folder)
    found = tables.evaluated([run])
    # The later of two lines counts, and other numbers of samples bear another letter.
    assert found.rows == [["quantity", "one", "floor"], ["precision", "0.5 (a)", "0.75"], ["recall", "0.125 (b)", ""]]
    of_versions = tables.versions([run]).rows
    assert ["one", "test split sha256", "2" * 64] in of_versions
    assert ["one", "evaluated weights sha256", "3" * 64] in of_versions
    assert ["one", "evaluated with", "bms_tf 0.1.0, tensorflow 2.15.1, 2026-11-25T12:00:00+00:00"] in of_versions


def test_runs_evaluated_on_their_own_data_can_be_compared(make_run, evaluation):
    folders = make_run(), make_run("two")
    for folder in folders:
        (folder / "evaluation.jsonl").write_text(json.dumps(evaluation(data=f"{folder}/config.gin")) + "\n")
    found = tables.evaluated(read(*folders))
    assert found.rows[1:] == [["precision", "0.5", "0.75", "0.5", "0.75"]], "no letters: the same data by their hash"
    assert found.notes == ["1,000 samples and 2,000 real, data of the run, seed 0."]


def test_the_files(make_run):
    texts = Report([str(make_run()), str(make_run("two", samples=50))]).tables()
    tables_ = ("what_was_run", "how_the_runs_differ", "scores", "settings_of_all_runs", "versions_and_hashes")
    assert set(texts) == {"md", "tex", *(f"{name}.csv" for name in tables_)}
    assert "| hq_percent | 98.5 | 99.25 | 98.5 | 99.25 |\n" in texts["md"]
    assert "(a): train.samples 2500." in texts["md"]
    for name in tables_:  # one table a file, with as many cells in each of its lines
        assert len({len(row) for row in csv.reader(io.StringIO(texts[f"{name}.csv"]))}) == 1
    rows = list(csv.reader(io.StringIO(texts["scores.csv"])))
    assert ["hq_percent", "98.5", "99.25", "98.5", "99.25"] in rows
    assert r"hq\_percent & 98.5 & 99.25 & 98.5 & 99.25 \\" in texts["tex"]
    assert "% (a): train.samples 2500." in texts["tex"]


def test_a_csv_has_numbers_and_the_others_have_what_is_easily_read(make_run):
    run = make_run(rows=150)  # of ten updates each
    config = run / "config.gin"
    config.write_text(config.read_text().replace("updates = 1500", "updates = 40000"))
    texts = Report([str(run)]).tables()
    assert "| step | 1,500 |  |\n" in texts["md"] and " | 1,500 of 40,000 | " in texts["md"]
    assert "step,1500,\n" in texts["scores.csv"] and ",1500 of 40000," in texts["what_was_run.csv"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/ring"], ["ring"]),
        (["runs/ring", "runs/grid"], ["ring", "grid"]),
        (["a/ring/seed_0", "a/grid/seed_0"], ["ring/seed_0", "grid/seed_0"]),
        (["runs", "runs/ring"], ["runs", "ring"]),
    ],
)
def test_names_tell_runs_apart(paths, names):
    assert runs.names(paths) == names
