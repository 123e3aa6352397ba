"""The stacked scores by hand, and at their extremes."""

import math

import numpy as np
import pytest

from bms_tf.metrics.stacked import stacked_scores
from tests.metrics.three_classes import ThreeClasses


def stacks(*channels):
    return np.array(channels, np.float32).reshape(-1, 1, 1, len(channels[0]))


def score(samples, reference):
    return stacked_scores(samples, reference, seed=0, classifier=ThreeClasses())


def test_by_hand():
    # Mode (0, 2) six times and (1, 0) twice, of nine; a stack with a NaN is of no mode.
    samples = stacks(*[(0, 2)] * 6, *[(1, 0)] * 2, (np.nan, 1))
    scores = score(samples, stacks((0, 2), (2, 0)))
    assert (scores["modes"], scores["modes_5"]) == (2, 1)
    assert scores["mode_kl"] == pytest.approx(0.75 * math.log(0.75 * 9) + 0.25 * math.log(0.25 * 9))
    # Features of the samples lie on a line, (0, 2) + t (1, -2) with t = 0 six times and 1 twice: mean (1/4, 3/2),
    # covariance 3/14 v v' with v = (1, -2). The reference: mean (1, 1), covariance 2 w w' with w = (1, -1).
    # tr (C_a C_b)^(1/2) for rank one is sqrt(3/14 * 2) |v' w| = 3 sqrt(3/7).
    expected = 0.75**2 + 0.5**2 + 3 / 14 * 5 + 2 * 2 - 2 * 3 * math.sqrt(3 / 7)
    assert scores["frechet_classifier_distance"] == pytest.approx(expected)
    assert scores["classifier_accuracy"] == ThreeClasses.accuracy


def test_extremes():
    every = stacks(*np.ndindex(3, 3))
    perfect = score(np.repeat(every, 5, axis=0), np.repeat(every, 5, axis=0))
    assert (perfect["modes"], perfect["modes_5"]) == (9, 9)
    assert perfect["mode_kl"] == pytest.approx(0, abs=1e-12)
    assert perfect["frechet_classifier_distance"] == pytest.approx(0, abs=1e-6)
    collapsed = score(stacks(*[(1, 1)] * 4), every)
    assert (collapsed["modes"], collapsed["modes_5"]) == (1, 0)
    assert collapsed["mode_kl"] == pytest.approx(math.log(9))
    nothing = score(stacks((np.nan, 0)), every)
    assert (nothing["modes"], nothing["mode_kl"]) == (0, pytest.approx(math.log(9)))
    assert math.isnan(nothing["frechet_classifier_distance"])
    with pytest.raises(ValueError, match="at least one"):
        score(every[:0], every)
