"""The runs of the systems as their authors have them: gin reads every setting, and the rows tell the runs apart."""

import json
from pathlib import Path

import pytest

from bms_tf.core import config, training  # noqa: F401, which registers `train`

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study(script):
    return script("authors_2d")


def test_gin_reads_every_setting(study, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    jobs = study.WAE_TRIALS + study.WAE_RUNS + study.MD_GAN + study.once()
    # Of the settings that run once, seven are on both data sets and three on one.
    assert len({json.dumps(job) for job in jobs}) == len(jobs) == 3 + 6 + 3 + 7 * 2 + 3
    for job in jobs:
        config.clear()
        config.load(study.files(job), [f"{name} = {value}" for name, value in job["params"].items()])


def test_what_is_recorded_is_one_of_its_runs(study):
    jobs = study.WAE_TRIALS + study.WAE_RUNS + study.MD_GAN + study.once()
    for row in study.recorded.read(study.NAME):
        assert sum(all(row[key] == job[key] for key in job) for job in jobs) == 1
        assert row["command"].startswith(f"python -m bms_tf.train --seed={row['seed']} --gin_file=gin/data/")
