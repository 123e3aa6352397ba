"""Run folders as training writes them, made by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bms_tf.studies.study import Job

GIN = """
train.system = @GAN
train.data = @{data}
train.generator_updates = {updates}
train.batch_size = 8
train.seed = {seed}
train.samples = {samples}
train.metrics = [@mixture_scores]
mixture_scores.std = 0.01
Adam.rate = {rate}
"""


@pytest.fixture
def make_run(tmp_path):
    """Makes a run folder, one step a generator update, with a row and, in `pictures`, a picture for each interval."""

    def make(name="one", *, rows=4, pictures=(), seed=0, data="ring", samples=2500, rate=0.001, scores=None) -> Path:
        folder = tmp_path / name
        (folder / "pictures").mkdir(parents=True)
        (folder / "config.gin").write_text(
            GIN.format(updates=rows * 10, seed=seed, data=data, samples=samples, rate=rate)
        )
        waves = np.sin(np.arange(rows)[:, None] / 300 + np.arange(20))
        lines = []
        for number, values in enumerate(waves, 1):
            losses = {f"{'generator' if i % 2 else 'discriminator'}/term_{i}": value for i, value in enumerate(values)}
            row = {"step": 10 * number, "generator_updates": 10 * number, **losses, "hq_percent": 50.0 + values[0]}
            lines.append(json.dumps(row | {"seconds": float(number)}) + "\n")
        (folder / "metrics.jsonl").write_text("".join(lines))
        scores = scores or {"samples": {"hq_percent": 98.5, "modes": None}, "data": {"hq_percent": 99.25, "modes": 8.0}}
        (folder / "scores.json").write_text(json.dumps({"step": rows * 10, **scores}))
        (folder / "data.json").write_text(json.dumps({"first_batch_sha256": "1" * 64, "test_split_sha256": "2" * 64}))
        for picture in pictures:
            for number in range(1, rows + 1):
                image = Image.new("RGB", (64, 40), (255 * number // rows, 0, 0))
                image.save(folder / "pictures" / f"{picture}_{10 * number:07d}.png")
        return folder

    return make


@pytest.fixture
def study(tmp_path):
    """The folder of a study with two finished runs of one method, without a sweep."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "study.gin").write_text(
        "import bms_tf.studies.study\n"
        "study.title = 'A <small> one'\nstudy.data = {'ring': ()}\nstudy.methods = [@a/method()]\n"
        "study.seeds = (0, 1)\nstudy.columns = {'hq_percent': 'max'}\nstudy.protocol = '50 samples'\n"
        "a/method.name = 'A'\na/method.published = {'ring': {'hq_percent': 67.0}}\n"
    )
    rows = []
    for seed, hq in ((0, 70.0), (1, 80.0)):
        about = {"path": [], "config": ["train.samples = 50"], "ended": f"2026-11-2{seed}", "machine": {"threads": 1}}
        scores = {"samples": {"hq_percent": hq}, "real": {"hq_percent": 99.0}}
        rows.append(Job("ring", "A", (), seed).as_row() | scores | about)
    (folder / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "figures").mkdir()
    Image.new("RGB", (64, 40)).save(folder / "figures" / "sensitivity.png")
    return folder


@pytest.fixture
def evaluation():
    """A line as `bms_tf.evaluate` writes it."""

    def line(name="precision", value=0.5, floor=0.75, **protocol) -> dict:
        counts = {"n_generated": 1000, "n_real": 2000}
        return {
            "metric": "precision_recall",
            "name": name,
            "value": value,
            "spread": None,
            "floor": floor,
            "floor_spread": None,
            "of": "runs/one",
            "sha256": "3" * 64,
            "protocol": {**counts, "data": "d", "seed": 0, "settings": {"k": 3}, "floor": counts, **protocol},
            "versions": {"bms_tf": "0.1.0", "tensorflow": "2.15.1"},
            "time": "2026-11-25T12:00:00+00:00",
        }

    return line
