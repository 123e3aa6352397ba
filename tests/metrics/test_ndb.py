"""The number of different bins by hand, and at its extremes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bms_tf.metrics.ndb import ndb

CORNERS = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])


def points(*counts):
    """So many around each of the four corners."""
    rng = np.random.default_rng(0)
    return np.repeat(CORNERS, counts, axis=0) + rng.normal(0, 0.1, size=(sum(counts), 2))


def test_by_hand():
    # Of 400 and of 400, in each of the four: 100 against 100, 130, 100, 70.
    # z of 130: pooled 115 / 400 of 800, sqrt(.2875 * .7125 / 200) = .0320, .075 / .0320 = 2.34, over 1.96.
    # z of 70: pooled .2125, sqrt(.2125 * .7875 / 200) = .0289, .075 / .0289 = 2.59.
    answer = ndb(points(100, 130, 100, 70), points(100, 100, 100, 100), seed=0, bins=4)
    assert (answer["ndb"], answer["ndb_share"]) == (2, 0.5)
    p, q = np.full(4, 0.25), np.array([0.25, 0.325, 0.25, 0.175])
    m = (p + q) / 2
    assert answer["ndb_js"] == pytest.approx((np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 2)
    assert isinstance(answer["bins"], Figure)
    # At 1 % the limit is 2.576: 2.59 alone is over it.
    assert ndb(points(100, 130, 100, 70), points(100, 100, 100, 100), seed=0, bins=4, significance=0.01)["ndb"] == 1


def test_extremes():
    real = points(50, 50, 50, 50)
    same = ndb(real, real, seed=0, bins=4)
    assert (same["ndb"], same["ndb_js"]) == (0, 0)
    collapsed = ndb(points(200, 0, 0, 0), real, seed=0, bins=4)
    assert collapsed["ndb"] == 4
    # JS of (1/4, 1/4, 1/4, 1/4) and (1, 0, 0, 0): m = (5/8, 1/8, 1/8, 1/8).
    js = (0.25 * np.log(2 / 5) + 0.75 * np.log(2) + np.log(8 / 5)) / 2
    assert collapsed["ndb_js"] == pytest.approx(js)


def test_bad_values():
    with pytest.raises(ValueError, match="200 real examples for 100 bins; 1000 or more are needed"):
        ndb(points(5, 5, 5, 5), points(50, 50, 50, 50), seed=0)
    with pytest.raises(ValueError, match="1 bins at significance"):
        ndb(points(5, 5, 5, 5), points(50, 50, 50, 50), seed=0, bins=1)
