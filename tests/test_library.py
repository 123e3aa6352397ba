"""Training, loading and exporting from Python: the same as by the commands, and a program is left as it was."""

import logging
import os
import random

import gin
import numpy as np
import pytest
import tensorflow as tf

import bms_tf
from bms_tf.core import config

PARAMS = [
    "BMSVAEGAN.T = 2",
    "code_size = 3",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    "train.batch_size = 16",
    "train.generator_updates = 20",
    "train.log_every = 10",
    "train.evaluate_every = 20",
    "train.checkpoint_every = 10",
    "train.steps_per_execution = 1",
    "train.samples = 50",
    "ring.held_out = 300",
    "train.pictures = []",
]


@gin.configurable
def users_own(size=1):
    return size


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ring"
    return folder, bms_tf.train("gin/ring.gin", run_dir=folder, params=PARAMS, seed=5)


@pytest.mark.slow
def test_a_trained_run_a_loaded_one_and_its_export_answer_alike(trained, tmp_path):
    folder, model = trained
    loaded = bms_tf.load(folder)
    exported = bms_tf.load(bms_tf.export(folder, "ring", export_dir=tmp_path))
    assert os.listdir(tmp_path / "ring") == ["1"]
    assert model.scores == loaded.scores == exported.scores and model.scores["samples"]["modes"] >= 0
    x = loaded.sample(9, seed=5)
    for other in (model, exported):
        assert other.offers == loaded.offers and other.data_shape == (2,) and other.code_size == 3
        np.testing.assert_array_equal(other.sample(9, seed=5), x)
        np.testing.assert_array_equal(other.posterior(x).mean, loaded.posterior(x).mean)
        np.testing.assert_array_equal(other.discriminate(x), loaded.discriminate(x))
        np.testing.assert_array_equal(other.reconstruct(x), loaded.reconstruct(x))


@pytest.mark.slow
def test_a_program_keeps_its_gin_settings_and_its_random_numbers(trained):
    folder, _ = trained
    gin.parse_config("users_own.size = 7")
    random.seed(1)
    np.random.seed(1)
    expected = random.Random(1).random(), np.random.RandomState(1).uniform()
    bms_tf.load(folder)
    assert (random.random(), np.random.uniform()) == expected
    assert users_own() == 7
    assert "train.system" not in config.as_text()


@pytest.mark.slow
def test_the_same_call_goes_on_with_a_run(trained, capsys):
    folder, _ = trained
    longer = [param.replace("updates = 20", "updates = 40") for param in PARAMS]
    bms_tf.train(["gin/ring.gin"], run_dir=folder, params=longer, seed=5)
    assert "resuming at step 20 of 40" in capsys.readouterr().out
    with pytest.raises(ValueError, match="holds a run with other settings"):
        bms_tf.train("gin/ring.gin", run_dir=folder, params=longer, seed=6)


def test_a_wrong_recipe_is_refused_and_gin_is_as_before():
    gin.parse_config("users_own.size = 7")
    with pytest.raises(ValueError, match="no gin file 'gin/rong.gin'"):
        bms_tf.train("gin/rong.gin", run_dir="unused")
    with pytest.raises(ValueError, match="recipe is empty"):
        bms_tf.train([], run_dir="unused")
    assert users_own() == 7
    assert not os.path.exists("unused")


def test_a_system_without_a_run_is_exported(tmp_path, caplog):
    def network(inputs, outputs):
        return bms_tf.networks.mlp(input_shape=inputs, output_shape=outputs, hidden=(4,))

    system = bms_tf.systems.GAN(generator=network((3,), (2,)), discriminator=network((2,), ()))
    with caplog.at_level("INFO", logger="tensorflow"):  # as TensorFlow sets it in a notebook
        model = bms_tf.load(bms_tf.export(system, "gan", export_dir=tmp_path))
        assert tf.get_logger().level == logging.INFO
    assert [record.message for record in caplog.records if record.name == "tensorflow"] == []
    assert model.path == str(tmp_path / "gan" / "1") and model.scores is None
    assert model.offers == ("discriminate", "features", "generate", "sample", "sample_prior")
    np.testing.assert_allclose(model.sample(4), system.sample(range(4)), atol=1e-6)
    with pytest.raises(ValueError, match="has no encode; it offers discriminate, "):
        model.encode(model.sample(4))
    with pytest.raises(ValueError, match="the name is 'a b'"):
        bms_tf.export(system, "a b", export_dir=tmp_path)
