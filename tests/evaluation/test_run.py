"""The frame: what each metric is given, the floor, one pass, where the lines go, and what is refused."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import gin
import numpy as np
import pytest
from matplotlib.figure import Figure

import bms_tf
from bms_tf.core import errors
from bms_tf.core.examples import Rows
from bms_tf.evaluation import run
from bms_tf.evaluation.run import beside, evaluate

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("cache")


def normal(count, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, size=(count, 3)).astype(np.float32)


@gin.configurable(module="test_run")
def difference(samples, reference, *, seed: int, power: float = 2.0) -> dict:
    """The means' difference and a spread that is known."""
    difference.given.append((samples, reference, seed))
    return {"difference": (samples.mean() - reference.mean()) * power, "difference_std": 0.5, "odd_std": 3.0}


difference.given, difference.better = [], {"difference": "lower"}


def values(samples, reference, *, seed):
    values.given.append((samples, reference))
    return {"count": len(samples)}


values.given, values.needs = [], "values"


def rows(samples, reference, *, seed):
    rows.given.append((samples, reference))
    return {"count": len(samples)}


rows.given, rows.needs = [], "rows"


def by_name(lines):
    return {line["name"]: line for line in lines}


# What is given, and what comes out.


def test_a_value_has_its_spread_its_floor_and_its_protocol(tmp_path):
    real, other = normal(400), normal(250, seed=1)
    out = tmp_path / "new" / "out.jsonl"
    lines = evaluate(samples=normal(250, 1.0, seed=2), data=real, floor_data=other, metrics=[difference], out=str(out))
    value, odd = lines
    assert (value["name"], odd["name"]) == ("difference", "odd_std")  # which is of no value's spread
    assert value["value"] == pytest.approx(2 * (normal(250, 1.0, seed=2).mean() - real.mean()), rel=1e-4)
    assert value["floor"] == pytest.approx(2 * (other.mean() - real.mean()), rel=1e-4)
    assert (value["spread"], value["floor_spread"], odd["spread"]) == (0.5, 0.5, None)
    assert (value["better"], odd["better"]) == ("lower", None)
    protocol = value["protocol"]
    assert (protocol["n_generated"], protocol["n_real"], protocol["seed"]) == (250, 400, 0)
    hashed = hashlib.sha256(other).hexdigest()
    assert protocol["floor"] == {"n_generated": 250, "n_real": 400, "data": "array", "data_sha256": hashed}
    assert protocol["features"] == "values" and protocol["settings"] == {"power": 2.0}
    assert len(protocol["data_sha256"]) == len(value["sha256"]) == 64
    assert value["versions"].keys() == {"bms_tf", "python", "tensorflow", "numpy"} and value["seconds"] >= 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == lines


def test_more_data_for_the_floor_than_samples_and_less():
    lines = by_name(
        evaluate(samples=normal(100), data=normal(300), floor_data=normal(500, seed=1), metrics=[difference])
    )
    assert lines["difference"]["protocol"]["floor"]["n_generated"] == 100
    with pytest.raises(ValueError, match="array has 50 examples; 100 are asked for"):
        evaluate(samples=normal(100), data=normal(300), floor_data=normal(50), metrics=[difference])


def test_without_other_real_data_the_halves_are_compared():
    difference.given.clear()
    real = normal(301)
    (line, _) = evaluate(samples=normal(300, seed=1), data=real, metrics=[difference])
    of = {"data": "array", "data_sha256": hashlib.sha256(real).hexdigest()}
    assert line["protocol"]["floor"] == {"n_generated": 150, "n_real": 151, **of}
    _, (other, reference, _) = difference.given
    np.testing.assert_array_equal(other, real[1::2])
    np.testing.assert_array_equal(reference, real[::2])


def test_a_metric_is_given_what_it_needs():
    pictures = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1), np.uint8)
    floats = (pictures / 127.5 - 1).astype(np.float32)
    for metric in (difference, values, rows):
        metric.given.clear()
    seen = []

    class Network:
        protocol = {"features": "mean"}

        def __call__(self, x):
            seen.append(len(x))
            return {"features": x.mean(axis=(1, 2))}

    evaluate(samples=pictures, data=pictures[::-1], metrics=[difference, values, rows], features=Network(), seed=3)
    samples, reference, seed = difference.given[0]
    np.testing.assert_allclose(samples, floats.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(reference, samples[::-1])
    assert seed == 3
    samples, _ = values.given[0]
    assert type(samples) is np.ndarray and samples.dtype == np.float32
    np.testing.assert_allclose(samples, floats, atol=1e-6)
    samples, reference = rows.given[0]
    assert isinstance(samples, Rows) and isinstance(reference, Rows)
    np.testing.assert_allclose(samples[3:5], floats[3:5], atol=1e-6)
    assert seen == [20, 20], "one pass over each"


class Doubled:
    protocol = {"features": "doubled"}

    def __call__(self, x):
        return {"features": 2 * x}


gin.external_configurable(Doubled, "doubled", module="test_run")


def test_a_gin_file_names_the_network_for_data_of_any_kind(tmp_path):
    np.savez(tmp_path / "x.npz", normal(9))
    (tmp_path / "own.gin").write_text("# A network.\nimport bms_tf.core.recipe\ntrain.features = @doubled\n")
    place = str(tmp_path / "x.npz")
    for given in ({"gin_file": [str(tmp_path / "own.gin")]}, {"gin_param": ["train.features = @doubled"]}):
        lines = evaluate(samples=place, data=place, metrics=[difference], **given)
        assert lines[0]["protocol"]["features"] == "doubled"


def needs_training(samples, reference, *, seed, training=None, sample_values=None, training_values=None):
    return {"most": float(training.max()), "first": float(sample_values[0][0]), "last": float(training_values[-1][0])}


def test_training_data_for_a_metric_that_looks_for_it():
    training, samples = normal(90, 7.0), normal(50, seed=1)
    lines = evaluate(samples=samples, data=normal(60), training_data=training, metrics=[needs_training])
    found = by_name(lines)
    assert found["most"]["value"] == training.max()
    assert (found["first"]["value"], found["last"]["value"]) == (samples[0, 0], training[-1, 0])


def test_the_floor_of_such_a_metric_is_no_training_data():
    """Training data as samples would all be copies."""
    samples = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
    digits = {"samples": samples, "data": "gin/data/digits.gin", "features": "values"}
    for split, metric, floor in (
        ("train_once", "training_neighbors", ("digits, test", 180, 180)),
        ("train_once", "energy", ("digits, train_once", 50, 360)),
        ("test", "training_neighbors", ("digits, test", 50, 360)),
    ):
        lines = evaluate(metrics=[metric], gin_param=[f"train.floor_split = '{split}'", "digits.size = 8"], **digits)
        at = lines[0]["protocol"]["floor"]
        assert (at["data"], at["n_generated"], at["n_real"]) == floor
    assert by_name(lines)["training_distance_ratio"]["floor"] == pytest.approx(1, abs=0.1), "as held-out data have"


def test_too_few_for_the_floor_says_so():
    given = {"samples": normal(9), "data": normal(6, seed=1), "metrics": ["frechet"]}
    line = r"the floor, of halves of the data \(--floor_data names other real data\): frechet: 3 samples for 3 features"
    with pytest.raises(ValueError, match=line):
        evaluate(**given)
    assert evaluate(floor_data=normal(9, seed=2), **given)[0]["floor"] > 0


def drawn(samples, reference, *, seed):
    figure = Figure()
    figure.subplots().plot([0, 1])
    return {"one": 1.0, "shape": figure}


def test_pictures_lie_beside_the_lines(tmp_path):
    np.savez(tmp_path / "x.npz", normal(9))
    (line,) = evaluate(samples=str(tmp_path / "x.npz"), data=normal(9), metrics=[drawn])
    assert line["name"] == "one"
    assert (tmp_path / "x.evaluation.drawn.shape.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_of_several_in_one_file_of_lines_bear_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        os.mkdir(folder)
        np.savez(f"{folder}/x.npz", normal(9))
        evaluate(samples=f"{folder}/x.npz", data=normal(9), metrics=[drawn], out="out.jsonl")
    assert {path.name for path in tmp_path.glob("*.png")} == {f"out.{name}-x.npz.drawn.shape.png" for name in "ab"}


def of_model(model, reference, *, seed):
    return {
        "gap": float(np.abs(model.sample(np.array([1, 2])).numpy().mean() - reference[:].mean())),
        "z": model.code_size,
    }


def test_a_metric_of_a_model(tmp_path):
    lines = evaluate(
        model=str(ROOT / "savedmodels/ring"), data=normal(9)[:, :2], metrics=[of_model], out=str(tmp_path / "o.jsonl")
    )
    gap, size = lines
    assert size["value"] == 32 and gap["floor"] is None and gap["protocol"]["floor"] is None
    assert gap["protocol"]["n_generated"] is None and gap["protocol"]["ema"] == 0.999
    with pytest.raises(ValueError, match="of_model needs a model; samples alone are given"):
        evaluate(samples=normal(9), data=normal(9), metrics=[of_model])


def test_values_that_are_not_finite_are_null():
    def endless(samples, reference, *, seed):
        return {"a": np.inf, "b": np.nan}

    lines = evaluate(samples=normal(9), data=normal(9), metrics=[endless])
    assert [line["value"] for line in lines] == [None, None]


def test_the_gin_file_of_the_data(tmp_path):
    gin_param = ["ring.held_out = 300", "mixture_scores.within = 2.0"]
    lines = evaluate(
        model=str(ROOT / "savedmodels/ring"),
        data="gin/data/ring.gin",
        n=200,
        gin_param=gin_param,
        out=str(tmp_path / "out.jsonl"),
    )
    first = lines[0]
    assert first["metric"] == "mixture_scores", "the file's own"
    floor = first["protocol"]["floor"]
    assert (floor["n_generated"], floor["n_real"], floor["data"]) == (200, 300, "ring, validation")
    assert first["protocol"]["split"] == "test" and first["protocol"]["settings"]["within"] == 2.0
    assert first["of"] == str(ROOT / "savedmodels/ring")
    with pytest.raises(errors.ConfigError, match="mixture_scores has no parameter 'withn'"):
        evaluate(samples=normal(9), data="gin/data/ring.gin", gin_param=["mixture_scores.withn = 2"])


# Files of lines.


def test_where_the_lines_go(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.gin").touch()
    (tmp_path / "models" / "m" / "3").mkdir(parents=True)
    (tmp_path / "models" / "m" / "3" / "saved_model.pb").touch()
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "saved_model.pb").touch()
    (tmp_path / "samples").mkdir()
    (tmp_path / "gan_0.5").mkdir()
    expected = {
        "run": "run/evaluation.jsonl",
        "models/m": "models/m/evaluation.jsonl",
        "models/m/3": "models/m/evaluation.jsonl",
        "models/m/3/": "models/m/evaluation.jsonl",
        "plain": "plain/evaluation.jsonl",
        "samples/": "samples.evaluation.jsonl",
        "gan_0.5": "gan_0.5.evaluation.jsonl",
        "x.npz": "x.evaluation.jsonl",
    }
    for place, path in expected.items():
        assert beside(f"{tmp_path}/{place}") == f"{tmp_path}/{path}"
    assert beside(normal(3)) is None


# What is refused.


def lonely(samples, reference, *, seed):
    return 1.5


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"samples": None}, "give a model or samples, one of the two"),
        ({"model": "m"}, "give a model or samples, one of the two"),
        ({"data": None}, "data is missing: a gin file, a folder of pictures or an .npz"),
        ({"data": "nowhere"}, "nowhere does not exist"),
        ({"data": str(ROOT / "README.md")}, "is no folder of pictures, .npz or gin file"),
        ({"data": np.zeros([9, 2])}, "the samples have the shape (3,), the data (2,)"),
        ({"metrics": None}, "metrics are missing; there are "),
        ({"metrics": ["precison_recall"]}, "no metric 'precison_recall'; did you mean 'precision_recall'?"),
        ({"metrics": [len]}, "len is no metric: its first parameters must be samples or model, and reference"),
        ({"metrics": [lonely]}, "lonely must return a dict of numbers by name; it returned 1.5"),
        ({"weights": "file"}, "weights and resizer belong to features that are named, such as inception"),
        (
            {"samples": np.zeros([9, 4, 4, 3], np.uint8), "data": np.zeros([9, 4, 4, 3], np.uint8)},
            "features are missing: ",
        ),
        ({"metrics": ["inception_score"]}, "the network 'values' gives no logits"),
        ({"metrics": ["frechet"], "samples": np.zeros([3, 3])}, "frechet: 3 samples for 3 features; 4 or more are"),
        ({"n": 200}, "array has 100 examples; 200 are asked for"),
        ({"metrics": ["training_neighbors"]}, "training_neighbors needs the training data"),
    ],
)
def test_a_request_that_cannot_be_met(changed, line):
    with pytest.raises(ValueError) as caught:
        evaluate(**{"samples": normal(100), "data": normal(100, seed=1), "metrics": [difference], **changed})
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_that_gives_no_numbers():
    class Network:
        protocol = {"features": "broken"}

        def __call__(self, x):
            return {"features": np.full([len(x), 2], np.nan)}

    with pytest.raises(ValueError, match="the network 'broken' gives features that are not finite"):
        evaluate(samples=normal(9), data=normal(9), metrics=[difference], features=Network())


# As a part of the package.


def test_an_own_function_is_a_short_name_of_the_package():
    assert bms_tf.evaluate is evaluate


@pytest.mark.slow
def test_evaluating_a_saved_model_imports_no_system(tmp_path):
    code = f"""
import sys
class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("bms_tf.systems"):
            raise AssertionError(name)
sys.meta_path.insert(0, Refusing())
import bms_tf
rows = bms_tf.evaluate(model={str(ROOT / "savedmodels/ring")!r}, data="gin/data/ring.gin", n=300, n_real=300,
                       metrics=["precision_recall"], out={str(tmp_path / "out.jsonl")!r})
print(len(rows), [name for name in sys.modules if name.startswith("bms_tf.systems")])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1:] == ["2 []"], done.stderr


def test_run_module_is_not_shadowed():
    assert run.evaluate is evaluate
