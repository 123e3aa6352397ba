"""Nearest training examples by hand, and for models that have learnt by heart and that have not."""

import importlib

import numpy as np
import pytest
from matplotlib.figure import Figure

from bms_tf.metrics.training_neighbors import nearest, to_nearest_other, training_neighbors


def test_by_hand(monkeypatch):
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.training_neighbors"), "ROWS", 2)
    training = np.array([[0.0], [1], [4], [10]])
    number, distance = nearest(np.array([[0.4], [5], [8]]), training)
    assert list(number) == [0, 2, 3] and distance == pytest.approx([0.4, 1, 2])
    assert to_nearest_other(training, np.array([3, 0, 2])) == pytest.approx([6, 1, 3])
    answer = training_neighbors(
        np.array([[0.4], [2.4], [8]]), np.array([[0.5], [3], [8], [9]]), seed=0, training=training
    )
    # Distances of the samples .4, 1.4, 2; of the held-out .5, 1, 2, 1.
    assert answer["training_distance"] == pytest.approx(1.4)
    assert answer["training_distance_ratio"] == pytest.approx(1.4)
    # .4 < 1 (of 0 to 1), 1.4 > 1 (of 1 to 0), 2 < 6 (of 10 to 4): one of three is authentic.
    assert answer["authentic_percent"] == pytest.approx(100 / 3)


def test_extremes():
    rng = np.random.default_rng(0)
    training, held_out, fresh = rng.normal(size=(3, 500, 5))
    by_heart = training_neighbors(training[:200], held_out, seed=0, training=training)
    assert by_heart["training_distance_ratio"] == pytest.approx(0, abs=1e-6)
    assert by_heart["authentic_percent"] == 0
    honest = training_neighbors(fresh, held_out, seed=0, training=training)
    assert honest["training_distance_ratio"] == pytest.approx(1, abs=0.1)
    # A fresh point is farther from its nearest than that one from its own nearest about half of the time.
    assert 40 < honest["authentic_percent"] < 65


def test_the_picture():
    features = np.arange(40.0)[:, None]
    values = np.zeros([40, 4, 4, 1]) + np.linspace(-1, 1, 40)[:, None, None, None]
    settings = {"training": features, "sample_values": values, "training_values": values}
    assert isinstance(training_neighbors(features + 0.1, features, seed=0, **settings)["neighbors"], Figure)
    settings = {"training": features, "sample_values": features, "training_values": features}  # no images
    assert "neighbors" not in training_neighbors(features + 0.1, features, seed=0, **settings)


def test_without_training_data():
    with pytest.raises(ValueError, match="needs the training data"):
        training_neighbors(np.zeros([3, 1]), np.zeros([3, 1]), seed=0)
