"""The birthday paradox on birthdays."""

import importlib

import numpy as np
import pytest

from bms_tf.metrics.birthday import birthday


def born(count, kinds=365):
    return np.random.default_rng(0).integers(kinds, size=(count, 1)).astype(np.float32)


def test_birthdays():
    """Half the groups of 23 have two of one day: prod (1 - i / 365) over i < 23 is .493, over i < 22 .524."""
    days = np.arange(365.0)[:, None]
    answer = birthday(born(5000), days, seed=0, within=0.5)
    # The median of 1,000 orders of one sample of 5,000, whose days are not quite equally likely.
    assert answer["birthday_batch"] in (22, 23, 24)
    # 23 * 22 / (2 log 2) = 365.0
    at_23 = answer["birthday_support"] * 23 * 22 / (answer["birthday_batch"] * (answer["birthday_batch"] - 1))
    assert at_23 == pytest.approx(365, abs=0.1)


def test_extremes():
    days = np.arange(50.0)[:, None]
    assert birthday(np.zeros([5000, 1]), days, seed=0)["birthday_batch"] == 2  # any two
    assert birthday(np.zeros([5000, 1]), days, seed=0)["birthday_support"] == pytest.approx(1 / np.log(2))
    none = birthday(10 * days, days, seed=0)  # nearer to each other than 1 are no two
    assert none == {"birthday_batch": np.inf, "birthday_support": np.inf}


def test_what_is_alike_is_measured_on_the_data():
    """Real examples 1 apart, and one pair .5: the least of the distances to a nearest other is .5, the rest are 1."""
    real = np.append(np.arange(100.0), 99.5)[:, None]
    samples = np.array([[0.0], [0.7], [10], [20]])
    assert birthday(samples, real, seed=0, quantile=0.0)["birthday_batch"] == np.inf
    # The only pair that is alike comes up when its later one does: of 4 in a random order, the 2nd to 4th with the
    # chances 1/6, 2/6 and 3/6, whose median is between 3 and 4.
    assert birthday(samples, real, seed=0, quantile=0.5)["birthday_batch"] in (3, 3.5, 4)


def test_many_pairs_and_few_give_the_same(monkeypatch):
    days = np.arange(365.0)[:, None]
    some = birthday(born(3000, kinds=20), days, seed=0, within=0.5)
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.birthday"), "MOST_PAIRS", 10**9)
    assert some["birthday_batch"] == birthday(born(3000, kinds=20), days, seed=0, within=0.5)["birthday_batch"]


def test_bad_values():
    with pytest.raises(ValueError, match="1 samples, 9 real examples"):
        birthday(born(1), born(9), seed=0)
    with pytest.raises(ValueError, match="quantile 2"):
        birthday(born(9), born(9), seed=0, quantile=2)
