"""The Vendi score at its extremes and by hand."""

import importlib

import numpy as np
import pytest

from bms_tf.metrics.vendi import vendi


def score(features):
    return vendi(np.asarray(features, np.float32), None, seed=0)["vendi"]


@pytest.mark.parametrize("n", [1, 2, 17])
def test_orthogonal_samples_count_each(n):
    assert score(np.eye(n)) == pytest.approx(n)
    assert score(3 * np.eye(n, 40)) == pytest.approx(n)  # more features than samples


def test_equal_samples_are_one():
    assert score(np.ones([9, 4])) == pytest.approx(1)
    assert score(np.outer(np.arange(1, 10), [1, 2])) == pytest.approx(1)  # one direction


def test_by_hand():
    # Three samples of one kind and one of another: the eigenvalues are 3/4 and 1/4.
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert score([[1, 0]] * 3 + [[0, 2]]) == pytest.approx(expected)
    # Cosine 1/2: eigenvalues (1 + 1/2) / 2 and (1 - 1/2) / 2, the same.
    assert score([[1, 0], [0.5, np.sqrt(0.75)]]) == pytest.approx(expected)


def test_parts_of_any_size_give_the_same(monkeypatch):
    features = np.random.default_rng(0).normal(size=(50, 6))
    whole = score(features)
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.vendi"), "ROWS", 7)
    assert score(features) == pytest.approx(whole)
    assert 1 < whole < 6


def test_a_row_of_zeros():
    with pytest.raises(ValueError, match="1 of 2 samples have features that are all zero"):
        score([[0, 0], [1, 0]])
