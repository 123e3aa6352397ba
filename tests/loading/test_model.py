"""Models of savedmodels/ in NumPy; nothing is trained here."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import bms_tf
from bms_tf.loading.model import Model
from bms_tf.metrics.mixture import mixture_scores
from pipelines.ring import ring_centers

MODELS = Path(__file__).parents[2] / "savedmodels"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(7, 2)).astype(np.float32)
Z = RANDOM.normal(size=(7, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def ring() -> Model:
    return bms_tf.load(MODELS / "ring")


@pytest.fixture(scope="module")
def digits() -> Model:
    return bms_tf.load(MODELS / "digits" / "1")


def test_it_says_what_it_is(ring, digits):
    assert (ring.code_size, ring.data_shape) == (32, (2,))
    assert (digits.code_size, digits.data_shape) == (32, (32, 32, 1))
    assert ring.path == str(MODELS / "ring" / "1")
    assert {"sample", "generate", "encode", "reconstruct", "discriminate", "posterior"} <= set(ring.offers)
    assert ring.scores["samples"]["modes"] == 8 and ring.scores["data"]["hq_percent"] == 98.92
    assert repr(ring).startswith(f"<Model {ring.path}: codes [32], data [2]; discriminate, encode, ")


def test_with_the_seed_of_the_run_the_samples_are_those_that_were_scored(ring):
    scores = mixture_scores(ring.sample(2500, seed=20), np.zeros([1, 2]), seed=0, centers=ring_centers(), std=0.01)
    # One sample is 0.04 %; the last bits of a sample depend on the machine.
    assert scores["hq_percent"] == pytest.approx(ring.scores["samples"]["hq_percent"], abs=0.05)
    assert scores["mode_kl"] == pytest.approx(ring.scores["samples"]["mode_kl"], abs=1e-4)


def test_each_seed_has_samples_of_its_own(ring):
    first = ring.sample(100, seed=3)
    assert first.shape == (100, 2) and first.dtype == np.float32
    np.testing.assert_array_equal(first, ring.sample(100, seed=3))
    np.testing.assert_array_equal(first[:10], ring.sample(10, seed=3))
    assert not np.isin(first, ring.sample(100, seed=4)).any()
    # A row's seed on a server is seed * 2^32 + row.
    np.testing.assert_array_equal(first, ring.predict("sample", seed=3 * 2**32 + np.arange(100))["x"])
    np.testing.assert_allclose(first, ring.generate(ring.sample_prior(100, seed=3)), atol=1e-6)


def test_what_it_says_of_data_fits_together(ring):
    posterior = ring.posterior(X)
    np.testing.assert_allclose(ring.encode(X), posterior.mean, atol=1e-6)
    np.testing.assert_allclose(ring.reconstruct(X), ring.generate(posterior.mean), atol=1e-5)
    # log N(z; mean, diag(s^2)) = sum over the dimensions of -((z - mean) / s)^2 / 2 - log s - log(2 pi) / 2.
    deviations = (Z - posterior.mean) / np.exp(posterior.log_stddev)
    expected = (-(deviations**2) / 2 - posterior.log_stddev - np.log(2 * np.pi) / 2).sum(axis=1)
    np.testing.assert_allclose(ring.log_posterior(Z, X), expected, rtol=1e-4)
    drawn = ring.sample_posterior(X, seed=5)
    noise = ring.sample_prior(len(X), seed=5)
    np.testing.assert_allclose(drawn, posterior.mean + np.exp(posterior.log_stddev) * noise, atol=1e-4)
    assert ring.discriminate(X).shape == (7,) and ring.features(X).shape == (7, 128)


def test_the_size_of_a_batch_does_not_change_the_answer(digits):
    in_threes = bms_tf.load(MODELS / "digits" / "1", batch_size=3)
    x = digits.sample(7)
    np.testing.assert_allclose(in_threes.sample(7), x, atol=1e-5)
    np.testing.assert_allclose(in_threes.encode(x), digits.encode(x), atol=1e-4)
    assert in_threes.predict("sample", seed=np.arange(7))["x_uint8"].shape == (7, 32, 32, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(Z[:, :5]), r"z has shape \(7, 5\); it must be \[B, 32\]"),
        (lambda m: m.generate(1.0), r"z has shape \(\); it must be \[B, 32\]"),
        (lambda m: m.generate(Z[:0]), "there are 0 of z; there must be equal numbers of rows, at least one"),
        (lambda m: m.log_posterior(Z[:3], X), "there are 7 of x, 3 of z; there must be equal numbers of rows"),
        (lambda m: m.encode(X * np.nan), "x holds values that are not finite"),
        (lambda m: m.encode(np.zeros([7, 2], np.uint8)), r"x is uint8; pixels of 0 to 255 are given as x / 127.5 - 1"),
        (lambda m: m.encode([[1e300, 1e300]]), "x holds values that are not finite"),  # in float32
        (lambda m: m.encode(X * 1j), "x is complex64; it must be of numbers"),
        (lambda m: m.encode([["1", "2"]]), "x is <U1; it must be of numbers"),
        (lambda m: m.predict("sample", seed=np.array([2**63], np.uint64)), "seed holds an integer beyond int64"),
        (lambda m: m.predict("sample", seed=[0.5]), "seed is float64; it must be of integers"),
        (lambda m: m.predict("sample", z=Z), r"sample is given \['z'\]; it takes \['seed'\]"),
        (lambda m: m.draw(Z), r"/ring/1 has no draw; it offers discriminate, encode, "),
        (lambda m: m.sample(0), "0 samples are asked for; it must be at least 1"),
        (lambda m: m.sample("a"), "n is 'a'; it must be a whole number"),
        (lambda m: m.sample(2, seed=0.5), "seed is 0.5; it must be a whole number"),
        (lambda m: m.sample(5, seed=-1), r"seed is -1; it must lie in \[0, 2\^31\)"),
        (lambda m: bms_tf.load(m.path, batch_size=0), "batch_size is 0; it must be at least 1"),
    ],
)
def test_a_wrong_argument_is_refused(ring, call, message):
    with pytest.raises(ValueError, match=message):
        call(ring)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere is no folder; it must be a run folder, or a SavedModel"):
        bms_tf.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is not the folder of a run: there is no config.gin in it"):
        bms_tf.load(tmp_path)
    for seed in (0, 1):
        (tmp_path / f"seed_{seed}").mkdir()
        (tmp_path / f"seed_{seed}" / "config.gin").write_text("")
    with pytest.raises(ValueError, match="holds 2 runs; give one of them, such as .*seed_0"):
        bms_tf.load(tmp_path)


def test_a_saved_model_of_something_else_is_refused(tmp_path):
    other = tf.Module()
    other.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], name="x")])
    tf.saved_model.save(other, str(tmp_path), signatures={"double": other.double})
    with pytest.raises(ValueError, match=r"has the signatures \['double'\]; a model of ours has generate"):
        bms_tf.load(tmp_path)


@pytest.mark.parametrize("newest", ["10", "0010"])
def test_the_newest_version_is_taken(newest, tmp_path):
    for version in ("2", newest, "11"):
        (tmp_path / version).mkdir()
    for version in ("2", newest):  # 11 is not complete
        for name in ("saved_model.pb", "variables", "assets.extra"):
            (tmp_path / version / name).symlink_to(MODELS / "grid" / "1" / name)
    assert bms_tf.load(tmp_path).path == str(tmp_path / newest)
