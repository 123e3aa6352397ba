"""The Inception score at its extremes, by hand, and against tensorflow-gan's."""

import importlib

import numpy as np
import pytest

own = importlib.import_module("bms_tf.metrics.inception_score")
inception_score = own.inception_score
both = pytest.mark.parametrize(
    "classifier_score", [own.classifier_score, own._classifier_score], ids=["tensorflow-gan", "own"]
)


@both
def test_extremes(classifier_score):
    sure = 100 * np.eye(7)  # every class once, without a doubt: log 7 from the marginal
    assert classifier_score(sure) == pytest.approx(7)
    assert classifier_score(np.repeat(sure[:1], 7, axis=0)) == pytest.approx(1)  # one class alone
    assert classifier_score(np.zeros([7, 7])) == pytest.approx(1)  # no idea
    # 2,000 apart, a probability underflows to 0, and 0 log 0 is 0.
    assert classifier_score(20 * sure) == pytest.approx(7)
    assert classifier_score(np.repeat(20 * sure[:1], 7, axis=0)) == pytest.approx(1)


@both
def test_by_hand(classifier_score):
    # p(y|x) = (3/4, 1/4) and (1/4, 3/4), p(y) = (1/2, 1/2): KL = 3/4 log 3/2 + 1/4 log 1/2 for both.
    logits = np.log([[0.75, 0.25], [0.25, 0.75]])
    assert classifier_score(logits) == pytest.approx(1.5**0.75 * 0.5**0.25)


def test_against_tensorflow_gan():
    tfgan = pytest.importorskip("tensorflow_gan", reason="tensorflow-gan does not run on TensorFlow 2.16 and newer")
    logits = np.random.default_rng(0).normal(0, 3, size=(500, 10)).astype(np.float32)
    theirs = float(tfgan.eval.classifier_score_from_logits(logits))
    assert own._classifier_score(logits) == pytest.approx(theirs, rel=1e-5)
    assert own.classifier_score(logits) == pytest.approx(theirs, rel=1e-5)


def test_splits():
    logits = np.random.default_rng(0).normal(0, 3, size=(500, 10))
    answer = inception_score(logits, None, seed=0, splits=5)
    # Parts of 100 have a higher bias than all 500, whose marginal is flatter.
    assert 1 < answer["inception_score"] < own.classifier_score(logits) < 10
    assert 0 < answer["inception_score_std"] < 1
    assert answer == inception_score(logits, None, seed=0, splits=5) != inception_score(logits, None, seed=1, splits=5)
    with pytest.raises(ValueError, match="500 samples in 251 splits"):
        inception_score(logits, None, seed=0, splits=251)
