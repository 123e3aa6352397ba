"""The variants go on from one state, and their scores are those behind it."""

import json
from pathlib import Path

import pytest
from absl.testing import flagsaver

from bms_tf.core import config, training  # noqa: F401, which registers `train`


@pytest.fixture(scope="module")
def study(script):
    return script("mode_weights")


def test_gin_reads_them(study, monkeypatch):
    monkeypatch.chdir(study.training.ROOT)
    texts = set()
    for params in study.VARIANTS.values():
        config.load(["gin/ring.gin"], [f"{name} = {value}" for name, value in params.items()])
        texts.add(config.as_text())
    assert len(texts) == len(study.VARIANTS)


def test_variants_go_on_from_one_state(study, tmp_path, monkeypatch, capsys):
    begun = []

    def train(folder: Path, params: dict, updates: int):
        """Adds 1 to the mode KL with the least realistic candidate, and takes 1 from it without S."""
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        log = folder / "metrics.jsonl"
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        begun.append((len(rows), updates))
        change = -1.0 if params.get("BMSVAEGAN.alpha") == 0.0 else 1.0
        while (step := rows[-1]["step"] if rows else 0) < updates:
            before = rows[-1]["mode_kl"] if rows else 0.0
            rows.append({"step": step + 5, "mode_kl": before + change, "hq_percent": 99.0, "energy_distance": 0.1})
        log.write_text("\n".join(map(json.dumps, rows)) + "\n")

    monkeypatch.setattr(study, "train", train)
    monkeypatch.setattr(study.recorded, "RESULTS", tmp_path)
    monkeypatch.setattr(study, "VARIANTS", {name: study.VARIANTS[name] for name in ("least realistic", "none")})
    with flagsaver.flagsaver(updates=5, more=10, every=5, keep=str(tmp_path / "runs")):
        study.main(None)
    assert begun == [(0, 10), (2, 20), (2, 20)]
    least, none = study.recorded.read("mode_weights")
    assert [row["mode_kl"] for row in least["before"]] == [1, 2] == [row["mode_kl"] for row in none["before"]]
    assert [row["mode_kl"] for row in least["after"]] == [3, 4]
    assert [row["mode_kl"] for row in none["after"]] == [1, 0]
    assert "| none | 2.000 | 1.000 | 0.000 |" in capsys.readouterr().out
