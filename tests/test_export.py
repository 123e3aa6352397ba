"""A tiny trained run, exported, against the Keras system in its last state; and what must not go wrong on the way."""

import functools
import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core import config, exporting, training
from bms_tf.core.measuring import Measured
from bms_tf.core.run_folder import RunFolder
from tests.commands import run

# Spectral normalization is there for the weights that no optimizer owns.
RECIPES = ["gin/ring.gin", "gin/modifiers/spectral_normalization.gin"]
TINY = (
    "BMSVAEGAN.T = 2",
    "code_size = 3",
    "mlp.hidden = (16, 16)",
    "train.batch_size = 16",
    "train.generator_updates = 20",
    "train.log_every = 10",
    "train.evaluate_every = 20",
    "train.checkpoint_every = 10",
    "train.steps_per_execution = 1",
    "train.samples = 100",
    "ring.held_out = 300",
    "train.metrics = []",
    "train.pictures = []",
    "train.seed = 7",
)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("runs") / "ring")
    config.load(RECIPES, TINY)
    training.Run().train(folder)
    return folder


@pytest.fixture(scope="module")
def system(run_dir):
    return exporting.restored_run(run_dir).system


@pytest.fixture(scope="module")
def exported(run_dir, tmp_path_factory) -> str:
    """The path of one export."""
    return exporting.export(run_dir, "ring", str(tmp_path_factory.mktemp("savedmodels"))).splitlines()[0]


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(exported)


def expected(system, name: str):
    """The outputs of a signature, from the system's own methods.

    In a graph, as training calls them: eagerly, the sums of log q (or a batch normalization) are rounded otherwise.
    """

    def posterior(z, x, seed):
        q = system.posterior(x)
        return {"mean": q.mean, "log_stddev": q.log_stddev}

    functions = {
        "serving_default": lambda z, x, seed: {"x": system.generate(z)},
        "generate": lambda z, x, seed: {"x": system.generate(z)},
        "sample_prior": lambda z, x, seed: {"z": system.sample_prior(seed)},
        "sample": lambda z, x, seed: {"x": system.sample(seed)},
        "posterior": posterior,
        "log_posterior": lambda z, x, seed: {"log_q": system.posterior(x).log_prob(z)},
        "sample_posterior": lambda z, x, seed: {"z": system.posterior(x).sample(system.sample_prior(seed))},
        "encode": lambda z, x, seed: {"z": system.encode(x)},
        "reconstruct": lambda z, x, seed: {"x_hat": system.reconstruct(x)},
        "discriminate": lambda z, x, seed: {"logit": system.discriminate(x)},
        "features": lambda z, x, seed: {"features": system.features(x)},
    }
    return tf.function(functions[name])


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3, 17])
def test_every_signature_is_bit_equal_to_the_system(loaded, system, rows):
    random = np.random.default_rng(rows)
    inputs = {
        "z": tf.constant(random.normal(size=[rows, 3]), tf.float32),
        "x": tf.constant(random.normal(size=[rows, 2]), tf.float32),
        "seed": tf.constant(random.integers(2**40, size=rows)),
    }
    assert set(loaded.signatures) == {"serving_default", "sample_posterior", "log_posterior", *system.offers}
    for name, signature in loaded.signatures.items():
        taken = {spec.name: inputs[spec.name] for spec in signature.structured_input_signature[1].values()}
        outputs, truth = signature(**taken), expected(system, name)(**inputs)
        assert set(outputs) == set(truth)
        for output in truth:
            assert outputs[output].shape[0] == rows
            np.testing.assert_array_equal(outputs[output], truth[output], err_msg=f"{name}: {output}")


@pytest.mark.slow
def test_the_averaged_weights_are_exported(loaded, system):
    z = tf.random.stateless_normal([5, 3], seed=[0, 1])
    x = loaded.signatures["generate"](z=z)["x"]
    assert not np.array_equal(x, system.generator(z, training=False))


@pytest.mark.slow
def test_metadata_says_where_the_model_comes_from(run_dir, exported, system):
    extra = os.path.join(exported, "assets.extra")
    records = {"tf_serving_warmup_requests"} if find_spec("tensorflow_serving") else set()
    expected = {"config.gin", "operative.gin", "data.json", "scores.json", "metadata.json"}
    assert set(os.listdir(extra)) == expected | records
    with open(os.path.join(extra, "metadata.json")) as file:
        metadata = json.load(file)
    assert metadata["step"] == metadata["generator_updates"] == 20
    assert metadata["seed"] == 7 and metadata["system"] == "BMSVAEGAN" and metadata["tensorflow"] == tf.__version__
    before = metadata["weights_sha256"]
    again, folder = exporting.restored_run(run_dir), RunFolder(run_dir)
    assert exporting.metadata(again, exporting.signatures(again.system), folder)["weights_sha256"] == before
    again.system.averages[0].assign_add(tf.ones_like(again.system.averages[0]))
    assert exporting.metadata(again, exporting.signatures(again.system), folder)["weights_sha256"] != before


@pytest.mark.slow
def test_requests_that_a_server_merges_do_not_harm_each_other(loaded):
    """As Serving's batching session does it: the rows behind one another, one run, the outputs cut at the sizes."""
    for name, signature in loaded.signatures.items():
        specs = signature.structured_input_signature[1]

        def rows(count, bad, specs=specs):
            given = {key: np.ones([count, *spec.shape[1:]]) for key, spec in specs.items()}
            for key, spec in specs.items():
                if bad and spec.dtype.is_floating:
                    given[key][0, 0] = np.nan
            return {key: tf.constant(given[key], spec.dtype) for key, spec in specs.items()}

        good, bad, empty = rows(2, bad=False), rows(1, bad=True), rows(0, bad=False)
        merged = signature(**{key: tf.concat([bad[key], empty[key], good[key]], axis=0) for key in specs})
        for key, alone in signature(**good).items():
            np.testing.assert_allclose(merged[key][1:], alone, rtol=1e-5, atol=1e-5, err_msg=f"{name}: {key}")
            has_floats = any(spec.dtype.is_floating for spec in specs.values())
            assert np.isnan(merged[key][0]).all() == has_floats


def test_the_true_modes_go_with_a_model_of_the_plane():
    config.load(["gin/ring.gin"], ["ring_centers.modes = 3"])
    modes = exporting._modes(training.Run())["modes"]
    np.testing.assert_allclose(modes, [[1, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]], atol=1e-6)
    config.load(["gin/ring.gin"], ["train.metrics = []"])
    assert exporting._modes(training.Run()) == {}


@pytest.mark.slow
def test_metadata_tells_code_and_data_apart(run_dir, exported, tmp_path, monkeypatch):
    with open(os.path.join(exported, "assets.extra", "data.json")) as file:
        data = json.load(file)
    config.load(RECIPES, TINY)
    run = training.Run()
    assert data == run.data_hashes
    config.load(RECIPES, [*TINY, "train.seed = 8"])
    other = training.Run().data_hashes
    assert other["first_batch_sha256"] != data["first_batch_sha256"]
    code = exporting.code_hash(tmp_path)
    (tmp_path / "new.py").write_text("")
    assert exporting.code_hash(tmp_path) != code


@pytest.mark.slow
def test_every_signature_is_warmed_up(exported, loaded):
    """The records, read with Serving's own protos and played as it plays them."""
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    path = os.path.join(exported, "assets.extra", "tf_serving_warmup_requests")
    logs = map(prediction_log_pb2.PredictionLog.FromString, tf.data.TFRecordDataset(path).as_numpy_iterator())
    requests = [log.predict_log.request for log in logs]
    assert sorted(request.model_spec.signature_name for request in requests) == sorted(loaded.signatures)
    for request in requests:
        assert request.model_spec.name == "ring"
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        outputs = loaded.signatures[request.model_spec.signature_name](**inputs)
        assert {tensor.shape[0] for tensor in outputs.values()} == {1}


@pytest.mark.slow
def test_a_run_needs_neither_its_data_nor_its_devices_and_is_left_as_it_was(run_dir, monkeypatch, tmp_path):
    files = {os.path.join(folder, name) for folder, _, names in os.walk(run_dir) for name in names}
    times = {path: os.stat(path).st_mtime_ns for path in files}

    def unused(*args, **kwargs):
        raise AssertionError("not needed for an export")

    monkeypatch.setattr(Measured, "dataset", unused)
    monkeypatch.setattr(config, "load", functools.partial(config.load, params=["train.devices = @mirrored"]))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", unused)
    exporting.export(run_dir, "ring", str(tmp_path))
    assert {os.path.join(folder, name) for folder, _, names in os.walk(run_dir) for name in names} == files
    assert {path: os.stat(path).st_mtime_ns for path in files} == times


@pytest.mark.slow
def test_a_failure_in_the_middle_leaves_nothing(run_dir, monkeypatch, tmp_path):
    def broken(*args):
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "metadata", broken)  # written behind the SavedModel
        with pytest.raises(RuntimeError, match="in the middle"):
            exporting.export(run_dir, "ring", str(tmp_path))
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_full_disk_is_said_as_other_commands_say_it(run_dir, monkeypatch, tmp_path):
    def full(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "saved_model.pb; No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space left on device: .*ring"):
        exporting.export(run_dir, "ring", str(tmp_path))
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_the_command_says_where_the_model_is(run_dir, tmp_path):
    done = run("bms_tf.export", f"--run_dir={run_dir}", "--name=ring", f"--export_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tmp_path / "ring" / "1")
    assert "  generate         z float32 [B, 3] -> x float32 [B, 2]" in done.stdout.splitlines()
    assert done.stderr == ""
    refused = run("bms_tf.export", f"--run_dir={tmp_path / 'nowhere'}", "--name=ring", f"--export_dir={tmp_path}")
    assert refused.returncode != 0
    assert refused.stderr == f"error: {tmp_path / 'nowhere'} does not exist; give a run folder, such as runs/ring\n"


# What follows trains nothing.


def write(folder: str):
    with open(os.path.join(folder, "saved_model.pb"), "w") as file:
        file.write("complete")


def contents(folder) -> dict[str, list[str]]:
    return {name: os.listdir(folder / name) for name in sorted(os.listdir(folder))}


def test_each_version_follows_the_last(tmp_path):
    paths = [exporting.publish(write, "ring", str(tmp_path)) for _ in range(2)]
    assert paths == [str(tmp_path / "ring" / "1"), str(tmp_path / "ring" / "2")]
    os.rename(tmp_path / "ring" / "2", tmp_path / "ring" / "41")
    os.mkdir(tmp_path / "ring" / "notes")  # not a version
    assert exporting.publish(write, "ring", str(tmp_path)) == str(tmp_path / "ring" / "42")
    assert os.listdir(tmp_path) == ["ring"]


def test_two_exports_at_once_give_two_complete_versions(tmp_path, monkeypatch):
    """Both have seen an empty folder before either renames, so that one of them must try again."""
    both_looked, listdir = threading.Barrier(2, timeout=300), os.listdir

    def looked(path):
        names = listdir(path)
        if path == str(tmp_path / "ring") and not names:
            both_looked.wait()
        return names

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", looked)
        threads = [threading.Thread(target=exporting.publish, args=(write, "ring", str(tmp_path))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert listdir(tmp_path) == ["ring"]
    assert contents(tmp_path / "ring") == {"1": ["saved_model.pb"], "2": ["saved_model.pb"]}


@pytest.mark.slow
def test_what_a_killed_export_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    code = "import os, sys; from bms_tf.core import exporting\n"
    code += "exporting.publish(lambda folder: os.kill(os.getpid(), 9), 'ring', sys.argv[1])"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True)
    assert killed.returncode == -9
    (left,) = os.listdir(tmp_path)

    def write_slowly(folder):
        exporting.publish(write, "ring", str(tmp_path))
        assert left not in os.listdir(tmp_path)
        write(folder)

    exporting.publish(write_slowly, "ring", str(tmp_path))
    assert os.listdir(tmp_path) == ["ring"]
    assert contents(tmp_path / "ring") == {"1": ["saved_model.pb"], "2": ["saved_model.pb"]}


def test_others_may_read_a_version(tmp_path):
    """Serving runs as another user; a temporary folder would be its maker's alone."""
    os.mkdir(tmp_path / "plain")
    version = exporting.publish(write, "ring", str(tmp_path))
    assert os.stat(version).st_mode == os.stat(tmp_path / "plain").st_mode


@pytest.mark.parametrize("name", ["", "a b", "../ring", "ring/1", "ring\n", ".tmp-1", "naïve"])
def test_a_bad_name_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="the name is"):
        exporting.export("runs/ring", name, str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere does not exist"):
        exporting.export(str(tmp_path / "nowhere"), "ring", str(tmp_path))
    with pytest.raises(ValueError, match="is not the folder of a run"):
        exporting.export(str(tmp_path), "ring", str(tmp_path))
    (tmp_path / "config.gin").write_text("import os\n")
    with pytest.raises(ValueError, match="config.gin:1: .*os"):
        exporting.export(str(tmp_path), "ring", str(tmp_path))


@pytest.mark.slow
def test_a_run_without_a_checkpoint_is_refused(tmp_path):
    config.load(RECIPES, TINY)
    (tmp_path / "config.gin").write_text(config.as_text())
    with pytest.raises(ValueError, match="has no checkpoint yet"):
        exporting.export(str(tmp_path), "ring", str(tmp_path / "out"))
    assert os.listdir(tmp_path) == ["config.gin"]


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        exporting.publish(write, "ring", str(tmp_path / "file"))
    with pytest.raises(OSError, match="ring"):
        (tmp_path / "ring").write_text("")
        exporting.publish(write, "ring", str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["file", "ring"]
