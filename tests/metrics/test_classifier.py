"""The class scores by hand, the classifier's cache, and its accuracy on the real digits."""

import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.metrics.classifier import class_scores, digit_classifier
from pipelines.digits import digits
from tests.metrics.three_classes import ThreeClasses


def pixels(*values):
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


def separable(split, start_step, examples_per_step, seed, labels):
    """Two classes, black and white, 40 images of 4 x 4 each."""
    images = np.repeat([-1.0, 1.0], 40)[:, None, None, None] * np.ones((80, 4, 4, 1), np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((images, np.repeat([0, 1], 40)))
    return dataset.batch(examples_per_step)


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


def test_it_is_trained_once_and_a_damaged_file_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = digit_classifier(data=separable)
    (path,) = (tmp_path / "bms_tf").iterdir()  # and no temporary file beside it
    written = path.stat().st_mtime_ns
    again = digit_classifier(data=separable)
    assert path.stat().st_mtime_ns == written
    black = -np.ones((2, 4, 4, 1))
    np.testing.assert_array_equal(first.features(black), again.features(black))
    assert first.accuracy == again.accuracy == 1

    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    repaired = digit_classifier(data=separable)
    np.testing.assert_array_equal(first.features(black), repaired.features(black))
    assert len(path.read_bytes()) == len(whole)
    # Another seed is another classifier.
    digit_classifier(data=separable, seed=1)
    assert len(list((tmp_path / "bms_tf").iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_only_reported(tmp_path, caplog):
    file = tmp_path / "file"
    file.touch()
    assert digit_classifier(data=separable, cache_dir=str(file)).accuracy == 1
    assert "cannot be written" in caplog.text


def test_a_classifier_that_learns_nothing_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match=r"0\.500.*0\.97"):
        digit_classifier(data=hopeless, cache_dir=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_features_lead_to_the_prediction(tmp_path):
    classifier = digit_classifier(data=separable, cache_dir=str(tmp_path))
    images = np.random.default_rng(0).normal(size=(20, 4, 4, 1))
    # Two classes have one logistic output.
    logit = classifier.features(images) @ classifier.network.coefs_[-1] + classifier.network.intercepts_[-1]
    np.testing.assert_array_equal(classifier.predict(images), logit[:, 0] > 0)
    assert classifier.features(images).shape == (20, 64)


@pytest.mark.slow
def test_real_digits(tmp_path):
    classifier = digit_classifier(data=digits, cache_dir=str(tmp_path))
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
