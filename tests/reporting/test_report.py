"""The command: its page, what it refuses, and that it does without TensorFlow."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from bms_tf import report
from bms_tf.core import command
from bms_tf.reporting.page import Report

ROOT = Path(__file__).parents[2]


def run(*arguments):
    """The command in this process; its errors are raised."""
    with flagsaver.flagsaver():
        flags.FLAGS.set_gnu_getopt(True)
        report.main(flags.FLAGS(["report", *map(str, arguments)]))


def refused(*arguments) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        run(*arguments)
    return command.one_line(caught.value)


def test_a_page_and_its_tables(make_run, study, tmp_path, capsys):
    folder = make_run(pictures=["samples", "reconstruction_grid"])
    run(folder, "--out", tmp_path / "new" / "page.html", study)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "page.a_small_one_ring.csv",
        "page.a_small_one_what_it_was_run_on.csv",
        "page.html",
        "page.md",
        "page.scores.csv",
        "page.settings.csv",
        "page.tex",
        "page.versions_and_hashes.csv",
        "page.what_was_run.csv",
    ]
    page = (tmp_path / "new/page.html").read_text()
    titles = re.findall("<h2>(.*)</h2>", page)
    assert titles == [
        "Studies",
        "Figures",
        "What was run",
        "Scores",
        "Samples over time",
        "Reconstructions",
        "Curves",
        "Settings",
        "Versions and hashes",
    ]
    assert "A &lt;small&gt; one: ring" in page, "a name is text"
    assert ">mixture_scores.<wbr>std</th>" in page, "a long name breaks behind a dot"
    # 75 on average, 8 above the published 67, with a deviation of sqrt(50).
    assert "75.0 ± 7.1 ▲" in page and "threads 1" in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import""", page), "nothing from elsewhere"
    assert "page.html (" in capsys.readouterr().out


def test_a_study_without_all_its_runs_says_what_is_missing(study):
    # Of seeds 0, 1 and 2 the last one, on the ring; and all three on the grid, of which there is no table.
    text = (study / "study.gin").read_text()
    text = text.replace("(0, 1)", "(0, 1, 2)").replace("{'ring': ()}", "{'ring': (), 'grid': ()}", 1)
    (study / "study.gin").write_text(text)
    of_scores, _ = Report([str(study)]).of_studies
    assert of_scores.notes[-2:] == [
        "Not run so far on ring, at most: 1 of A.",
        "Not run so far on grid, at most: 3 of A.",
    ]
    lines = (study / "runs.jsonl").read_text().replace('"seed": 0', '"seed": 100').splitlines(keepends=True)
    (study / "runs.jsonl").write_text(lines[0])
    (machines,) = Report([str(study)]).of_studies
    assert machines.notes[-1] == "Not run so far on grid, at most: 3 of A.", "also where no table can be made so far"


def test_seeds_of_one_folder(make_run, tmp_path):
    make_run("seeds/seed_0"), make_run("seeds/seed_1", seed=1)
    found = Report([str(tmp_path / "seeds"), str(tmp_path / "seeds/seed_1") + "/"])
    assert [own.name for own in found.runs] == ["seed_0", "seed_1"], "each once"


def test_ten_thousand_rows_are_quick_and_small(make_run):
    folder = make_run(rows=10_000)
    begun = time.process_time()
    page = Report([str(folder)]).page()
    seconds = time.process_time() - begun
    assert len(page.encode()) < 2_000_000, "the rest of the 5 MB is for pictures"
    assert seconds < 2, f"the page took {seconds:.1f} s of the processor"


def test_many_large_pictures_stay_within_the_page(make_run):
    folder, rng = make_run(), np.random.default_rng(0)
    for name in ("samples", "reconstruction_grid"):
        for step in range(1, 9):
            image = Image.fromarray(rng.integers(0, 256, (500, 500, 3), np.uint8))
            image.save(folder / "pictures" / f"{name}_{step:07d}.png", compress_level=0)
    size = len(Report([str(folder)]).page().encode())
    assert 1_000_000 < size < 5_000_000


def test_bad_input_is_one_line(make_run, study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused().startswith("folders of runs or studies are missing; for example: python -m bms_tf.report")
    assert refused(tmp_path / "none") == f"{tmp_path}/none is no folder of a run or study; there is no such folder"
    (tmp_path / "empty").mkdir()
    assert refused("empty") == "empty holds no run and no study (neither config.gin nor study.gin)"
    make_run()
    assert refused("one", "--out=page.pdf") == "--out is 'page.pdf'; it must end with .html"
    (study / "runs.jsonl").write_text("")
    assert refused(study).endswith("runs.jsonl has no line so far")
    (study / "runs.jsonl").write_text('{"data": "ri\n')
    assert refused(study) == f"{study}/runs.jsonl:1 is damaged; without this line, its run is made again"
    assert not list(tmp_path.glob("report.*")), "nothing is written"


def test_a_folder_that_is_named_twice_counts_once(make_run, study, monkeypatch):
    folder = make_run()
    monkeypatch.chdir(folder.parent)
    report = Report([str(folder), folder.name, f"{folder.name}/", str(study), "./study"])
    assert len(report.runs) == len(report.studies) == 1


def test_figures_of_two_studies_in_folders_of_one_name(study, tmp_path):
    (tmp_path / "b").mkdir()
    shutil.copytree(study, tmp_path / "b" / study.name)
    _, figures = Report([str(study), str(tmp_path / "b" / study.name)]).films()
    assert [film.run for film in figures["sensitivity"]] == ["study", "b/study"]


def test_runs_of_a_study_with_different_protocols_are_refused(study):
    text = (study / "runs.jsonl").read_text()
    (study / "runs.jsonl").write_text(text.replace("samples = 50", "samples = 60", 1))
    assert refused(study).startswith("different protocols in the table of ring: train.samples is 60 in ")


def test_a_run_without_metrics(make_run):
    folder = make_run()
    (folder / "metrics.jsonl").write_text("")
    assert refused(folder) == f"{folder} is a run without metrics: {folder}/metrics.jsonl has no line so far"
    (folder / "metrics.jsonl").unlink()
    assert refused(folder).startswith(f"{folder} is a run without metrics")


def test_of_several_runs_one_that_has_just_begun_is_left_out(make_run, tmp_path, capsys):
    for name in ("runs/a", "runs/b"):
        make_run(name)
    (tmp_path / "runs/b/metrics.jsonl").unlink()
    assert [run.path for run in Report([str(tmp_path / "runs")]).runs] == [f"{tmp_path}/runs/a"]
    assert capsys.readouterr().out == f"{tmp_path}/runs/b has no metrics so far, and is left out\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("scores.json", '{"step": 40, "sam', "scores.json is damaged (Unterminated string"),
        ("scores.json", '{"step": 40}', "scores.json is damaged (it lacks one of step, samples, data)"),
        ("scores.json", '{"samples": {}, "data": {}}', "scores.json is damaged (it lacks one of step, samples, data)"),
        ("data.json", "", "data.json is damaged (Expecting value"),
        ("config.gin", "train.seed = [", "config.gin is damaged ("),
        ("config.gin", "", "config.gin is damaged (it sets nothing)"),
    ],
)
def test_a_truncated_file(make_run, name, text, said):
    folder = make_run()
    (folder / name).write_text(text)
    assert refused(folder).startswith(f"{folder}/{said}")


def test_damaged_lines_are_left_out_and_a_cut_off_one_is(make_run, evaluation, capsys):
    folder = make_run()
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 50, "gene\n{"step": 60, "gen')
    (folder / "evaluation.jsonl").write_text(f"{json.dumps(evaluation())}\n[]\n" + '{"metric')
    (own,) = Report([str(folder)]).runs
    assert len(own.log) == 4 and len(own.evaluations) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/metrics.jsonl:5 is damaged and is left out",
        f"{folder}/evaluation.jsonl:2 is damaged and is left out",
    ]


def python(*arguments, cwd):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_it_does_without_tensorflow(make_run, study, tmp_path):
    code = (
        "import sys\nsys.argv = ['report', 'one', 'study']\nfrom bms_tf.reporting.page import Report\n"
        "Report(['one', 'study']).page()\n"
        "print([name for name in ('tensorflow', 'keras', 'keras_tuner') if name in sys.modules])"
    )
    make_run()
    ended = python("-c", code, cwd=tmp_path)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("[]\n", "", 0)


@pytest.mark.slow
def test_help_and_an_error_of_the_command(tmp_path):
    shown = python("-m", "bms_tf.report", "--help", cwd=tmp_path)
    assert shown.returncode == 0 and report.EXAMPLE in shown.stdout and "--out" in shown.stdout
    ended = python("-m", "bms_tf.report", "nowhere", "--out=a.html", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error: nowhere is no folder of a run or study; there is no such folder\n"
