"""The study of the published table: its settings can be read, and its two lines are chosen and shown as stated."""

import importlib
import json
from pathlib import Path

import pytest

from bms_tf.core import config, training  # noqa: F401, which registers `train`

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("published_2d")


def test_every_method_has_as_many_settings_and_gin_reads_them(study, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    for method in study.METHODS:
        jobs = [study.job("ring", method, 100, setting) for setting in study.space(method)]
        assert len({json.dumps(job["params"]) for job in jobs}) == 9, method
        for job in jobs:
            config.load(
                study.files("published_2d_tuning")(job), [f"{name} = {value}" for name, value in job["params"].items()]
            )


def test_a_rate_of_its_own_is_a_multiple_of_the_rate(study):
    pairs = [(s["adam.learning_rate"], s["discriminator/adam.learning_rate"]) for s in study.space("GAN")]
    assert pairs[:3] == [(1e-3, 5e-4), (1e-3, 1e-3), (1e-3, 2e-3)]


def trial(name, hq, ratio, energy, **more):
    """A line of the results: a job, then the scores of real data and of samples."""
    samples = {"mode_kl": 0.1, "std_ratio_min": 0.1, "std_ratio_max": 0.9, "minor_axis_ratio_median": 0.3} | {
        "modes": 8.0,
        "hq_percent": hq,
        "energy_distance": energy,
    }
    samples["std_ratio_median"] = ratio
    return {"params": {"opt.rate": name}, **more, "seconds": 60, "data": samples, "samples": samples}


def test_the_scores_keep_what_tells_a_job(study):
    # A result is matched with its job by all of the job's entries, so that none may have the name of a score.
    assert not study.job("ring", "GAN", 0, {}).keys() & {"data", "samples", "seconds", "operative", "error"}


def test_the_two_lines(study):
    # The highest HQ is of modes that are points; the lowest energy distance is of a wide setting with a lower HQ.
    trials = [
        trial("points", 99.0, 0.49, 0.3),
        trial("sharp", 90.0, 0.5, 0.2),
        trial("wide", 80.0, 2.0, 0.1),
        trial("lost", 0.0, None, None),  # not numbers: null in JSON
    ]
    assert {line: t["params"]["opt.rate"] for line, t in study.chosen(trials).items()} == {
        "HQ": "sharp",
        "energy": "wide",
    }
    assert study.chosen(trials[:1]) == {"HQ": None, "energy": trials[0]}
    assert study.chosen(trials[3:]) == {"HQ": None, "energy": None}


def test_the_table_sets_the_mean_of_the_seeds_beside_the_published_numbers(study, monkeypatch, tmp_path, capsys):
    def write(name, rows):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    ours = {"mixture": "ring", "method": "GAN"}
    monkeypatch.setattr(study.recorded, "RESULTS", tmp_path)
    write("published_2d_tuning", [trial("a", 90.0, 0.8, 0.2, seed=100, **ours), {**ours, "error": "not finite"}])
    write("published_2d", [trial("a", hq, None, 0.2, seed=s, **ours) for s, hq in enumerate((70.0, 80.0))])
    study.print_tables()
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("| GAN |"))
    # The mean of 70 and 80 is 75, their standard deviation sqrt(50) = 7.07.
    assert row.startswith("| GAN | 1 | 99.3 | HQ, energy | rate a |") and "| 0, 1 | 8 ± 0 | 75.0 ± 7.1 |" in row
    assert "| nan ± nan |" in row
    assert "| real data |" in printed
