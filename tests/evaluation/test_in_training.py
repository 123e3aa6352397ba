"""A recipe names the metrics of evaluation; evaluating the run's folder afterwards gives the numbers of its end."""

import json
import os

import pytest

from bms_tf.core import config, training
from bms_tf.evaluation.run import evaluate

TINY = (
    "train.metrics = [@class_scores, @frechet, @prdc]",
    "dcgan_generator.width = 2",
    "dcgan_discriminator.width = 2",
    "dcgan_encoder.width = 2",
    "generator/dcgan_generator.width = 2",
    "discriminator/dcgan_discriminator.width = 2",
    "encoder/dcgan_encoder.width = 2",
    "code_discriminator/mlp.hidden = (8,)",
    "BMSVAEGAN.T = 2",
    "train.batch_size = 8",
    "train.generator_updates = 4",
    "train.log_every = 2",
    "train.evaluate_every = 2",
    "train.checkpoint_every = 4",
    "train.samples = 150",
    "train.pictures = []",
)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, digits_cache):
    folder = str(tmp_path_factory.mktemp("runs") / "digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", digits_cache)
        (tmp_path_factory.mktemp("gin") / "own.gin").touch()
        import bms_tf.metrics.frechet
        import bms_tf.metrics.prdc  # noqa: F401

        config.load(["gin/digits.gin"], TINY)
        training.Run().train(folder)
        yield folder


@pytest.mark.slow
def test_the_scores_of_a_run_are_those_of_its_folder(run_dir):
    with open(os.path.join(run_dir, "scores.json")) as file:
        scores = json.load(file)
    with open(os.path.join(run_dir, "metrics.jsonl")) as file:
        last = json.loads(file.readlines()[-1])
    rows = {row["name"]: row for row in evaluate(model=run_dir)}
    assert {"frechet_distance", "precision", "coverage", "class_kl"} <= rows.keys()
    for name, row in rows.items():
        assert row["value"] == pytest.approx(scores["samples"][name], rel=1e-6), name
        assert row["floor"] == pytest.approx(scores["data"][name], rel=1e-6), name
        assert row["value"] == pytest.approx(last[name], rel=1e-6), name
    protocol = rows["precision"]["protocol"]
    assert protocol["features"] == "digit_classifier" and protocol["accuracy"] >= 0.97
    assert (protocol["n_generated"], protocol["n_real"], protocol["ema"]) == (150, 360, 0.99)
    assert os.path.exists(os.path.join(run_dir, "evaluation.jsonl"))
    # Data of another shape.
    with pytest.raises(ValueError, match=r"the samples have the shape \(32, 32, 1\), the data \(2,\)"):
        evaluate(model=run_dir, data="gin/data/ring.gin")
