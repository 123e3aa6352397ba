"""The class scores by hand, the classifier's cache, and its accuracy on the real digits."""

import importlib
import math

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from sklearn.neural_network import MLPClassifier

from bms_tf.core import config, errors
from bms_tf.metrics.classifier import class_scores, digit_classifier
from pipelines.digits import digits
from tests.metrics.three_classes import ThreeClasses

MLPClassifier_fit = MLPClassifier.fit


def pixels(*values):
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


def separable(split, start_step, examples_per_step, seed, labels):
    """Two classes, black and white, 40 images of 4 x 4 each."""
    images = np.repeat([-1.0, 1.0], 40)[:, None, None, None] * np.ones((80, 4, 4, 1), np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((images, np.repeat([0, 1], 40)))
    return dataset.batch(examples_per_step)


def three_grays(split, start_step, examples_per_step, seed, labels):
    """Three classes, black, gray and white."""
    images = np.repeat([-1.0, 0.0, 1.0], 40)[:, None, None, None] * np.ones((120, 4, 4, 1), np.float32)
    return tf.data.Dataset.from_tensor_slices((images, np.repeat([0, 1, 2], 40))).batch(examples_per_step)


def hopeless(split, start_step, examples_per_step, seed, labels):
    """Equal images of two classes: half of them right at best."""
    return tf.data.Dataset.from_tensor_slices((np.zeros((80, 4, 4, 1)), np.repeat([0, 1], 40))).batch(80)


def test_scores_by_hand():
    result = class_scores(pixels(0, 0, 2, np.nan), pixels(0, 4), seed=0, classifier=ThreeClasses())
    assert [result[f"class_{k}_percent"] for k in range(3)] == [50, 0, 25]  # of all four
    assert (result["class_min_percent"], result["class_max_percent"], result["classes"]) == (0, 50, 2)
    # Two and one of three: KL = 2/3 log(2/3 * 3) + 1/3 log(1/3 * 3).
    assert result["class_kl"] == pytest.approx(2 / 3 * math.log(2))
    # Features 0, 0, 2 (mean 2/3, variance 4/3) and 0, 4 (mean 2, variance 8).
    expected = (4 / 3) ** 2 + 4 / 3 + 8 - 2 * math.sqrt(4 / 3 * 8)
    assert result["frechet_classifier_distance"] == pytest.approx(expected)
    assert result["classifier_accuracy"] == ThreeClasses.accuracy


def test_identical_sets_and_no_finite_sample():
    same = class_scores(pixels(0, 1, 2), pixels(0, 1, 2), seed=0, classifier=ThreeClasses())
    assert same["frechet_classifier_distance"] == pytest.approx(0, abs=1e-12)
    assert same["class_kl"] == pytest.approx(0, abs=1e-12)
    nothing = class_scores(pixels(np.nan, np.inf), pixels(0, 1), seed=0, classifier=ThreeClasses())
    assert (nothing["classes"], nothing["class_max_percent"]) == (0, 0)
    assert nothing["class_kl"] == pytest.approx(math.log(3))
    assert np.isnan(nothing["frechet_classifier_distance"])
    with pytest.raises(ValueError, match="at least one"):
        class_scores(pixels(), pixels(0, 1), seed=0, classifier=ThreeClasses())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user's: the folder that classifiers are kept in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "bms_tf"


def test_it_is_trained_once_and_a_damaged_file_is_replaced(cache):
    first = digit_classifier(data=separable)
    (path,) = cache.iterdir()  # and no temporary file beside it
    written = path.stat().st_mtime_ns
    again = digit_classifier(data=separable)
    assert path.stat().st_mtime_ns == written
    black = -np.ones((2, 4, 4, 1))
    np.testing.assert_array_equal(first.features(black), again.features(black))
    assert first.accuracy == again.accuracy == 1
    assert first.protocol == again.protocol and len(first.protocol["weights_sha256"]) == 64

    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    repaired = digit_classifier(data=separable)
    np.testing.assert_array_equal(first.features(black), repaired.features(black))
    assert len(path.read_bytes()) == len(whole)
    # Another seed is another classifier.
    other = digit_classifier(data=separable, seed=1)
    assert len(list(cache.iterdir())) == 2
    assert other.protocol["weights_sha256"] != first.protocol["weights_sha256"]


class Trap:
    """An object whose pickle, when it is loaded, leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_in_the_cache_is_not_loaded(cache, tmp_path, caplog):
    digit_classifier(data=separable)
    (path,) = cache.iterdir()
    trap = np.empty(1, object)
    trap[0] = Trap(tmp_path / "sprung")
    with path.open("wb") as file:
        np.savez(file, trap, np.array(1.0))
    assert digit_classifier(data=separable).accuracy == 1
    assert "cannot be read" in caplog.text and "training it again" in caplog.text
    assert not (tmp_path / "sprung").exists()


def test_no_path_of_a_cache_can_be_set(cache):
    with pytest.raises(errors.ConfigError, match="digit_classifier has no parameter 'cache_dir'"):
        config.load([], ["digit_classifier.cache_dir = '/tmp'"])


def test_a_cache_that_cannot_be_written_is_only_reported(tmp_path, caplog, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert digit_classifier(data=separable).accuracy == 1
    assert "cannot be written" in caplog.text


def test_a_classifier_that_learns_nothing_is_refused(cache):
    with pytest.raises(RuntimeError, match=r"0\.500.*0\.97"):
        digit_classifier(data=hopeless)
    assert not cache.exists()


def test_features_lead_to_the_prediction(cache):
    classifier = digit_classifier(data=separable)
    images = np.random.default_rng(0).normal(size=(20, 4, 4, 1))
    # Two classes have one logistic output.
    logit = classifier.features(images) @ classifier.weights[-2] + classifier.weights[-1]
    np.testing.assert_array_equal(classifier.predict(images), logit[:, 0] > 0)
    assert classifier.features(images).shape == (20, 64)


def test_the_forward_pass_is_scikit_learns(cache, monkeypatch):
    fitted = []
    monkeypatch.setattr(MLPClassifier, "fit", lambda self, *data: fitted.append(MLPClassifier_fit(self, *data)))
    classifier = digit_classifier(data=three_grays)
    images = np.random.default_rng(0).normal(size=(50, 4, 4, 1))
    flat = images.reshape(50, -1)
    np.testing.assert_array_equal(classifier.predict(images), fitted[0].predict(flat))
    np.testing.assert_allclose(scipy.special.softmax(classifier.logits(images), axis=1), fitted[0].predict_proba(flat))
    assert classifier.classes == 3


def test_as_a_network_it_takes_each_channel_by_itself(cache, monkeypatch):
    classifier = digit_classifier(data=separable)
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 2))
    answer = classifier(images)
    assert answer.keys() == {"features"}
    np.testing.assert_array_equal(answer["features"][:, 64:], classifier.features(images[..., 1:]))
    assert classifier(images[..., :1]).keys() == {"features", "logits"}
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.classifier"), "ROWS", 2)
    np.testing.assert_allclose(classifier(images)["features"], answer["features"])


@pytest.mark.slow
def test_real_digits(digits_cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", digits_cache)
    classifier = digit_classifier(data=digits)
    assert classifier.accuracy >= 0.97
    train, test = (next(digits(split, 0, 2000, 0).as_numpy_iterator()) for split in ("train_once", "test"))
    floor = class_scores(train, test, seed=0, classifier=classifier)
    # The classes are 139 to 146 of 1437, 9.7 to 10.2 %, and the classifier has learnt its training images.
    assert floor["classes"] == 10
    assert 9.5 < floor["class_min_percent"] <= floor["class_max_percent"] < 10.5
    assert floor["class_kl"] < 1e-3
    # Half the classes missing is far above the floor.
    half = class_scores(train[classifier.predict(train) < 5], test, seed=0, classifier=classifier)
    assert half["classes"] == 5
    assert half["frechet_classifier_distance"] > 10 * floor["frechet_classifier_distance"] > 0
