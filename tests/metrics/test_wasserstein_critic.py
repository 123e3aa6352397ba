"""The independent critic, where its distance is known."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from bms_tf.metrics.wasserstein_critic import _penalty, wasserstein_critic


def test_the_penalty_by_hand():
    # The gradient of 3 x_1 + 4 x_2 has the length 5, at every point: (5 - 1)^2.
    found = _penalty(lambda x: 3 * x[:, :1] + 4 * x[:, 1:], tf.zeros([7, 2]))
    assert float(found) == pytest.approx(16, rel=1e-5)
    # Of images the gradient's length is over all pixels: of their sum, sqrt(8).
    found = _penalty(lambda x: tf.reduce_sum(x, axis=[1, 2, 3]), tf.zeros([2, 2, 2, 2]))
    assert float(found) == pytest.approx((np.sqrt(8) - 1) ** 2, rel=1e-5)


def test_a_translation():
    # Data N(0, 1), samples N(-2, 1). In one dimension the critic's objective is the integral of f' w - 10 (f' - 1)^2 m,
    # where w = F_fake - F_real and m is the density of the points between pairs, of which a share t is real:
    # N(2 t - 2, t^2 + (1 - t)^2), t uniform. At the maximum f' = 1 + w / (20 m); the distance, the integral of f' w, is
    # the Wasserstein distance of 2 and the integral of w^2 / (20 m): 2.21.
    x, t = np.linspace(-9, 7, 2001), (np.arange(200) + 0.5)[:, None] / 200
    between = norm.pdf(x, 2 * t - 2, np.sqrt(t**2 + (1 - t) ** 2)).mean(axis=0)
    expected = 2 + np.sum((norm.cdf(x, -2) - norm.cdf(x)) ** 2 / (20 * between)) * (x[1] - x[0])
    assert expected == pytest.approx(2.21, abs=0.01)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1)) - 2
    scores = wasserstein_critic(fake, real, seed=0, steps=300, learning_rate=2e-3, every=100)
    assert scores["critic_distance"] == pytest.approx(expected, abs=0.25)
    assert scores["critic_distance_train"] == pytest.approx(expected, abs=0.25)
    curves = scores["critic"].axes[0].lines
    assert [len(line.get_xdata()) for line in curves] == [3, 3]
    assert list(curves[0].get_xdata()) == [100, 200, 300]
    assert curves[1].get_ydata()[-1] == scores["critic_distance"]
    equal = wasserstein_critic(rng.normal(size=(4000, 1)), real, seed=0, steps=300, learning_rate=2e-3, every=300)
    assert abs(equal["critic_distance"]) < 0.15


def test_images():
    # Dark against bright images of 8 x 8: they are moved by 1 in each of 64 pixels, a distance of 8.
    rng = np.random.default_rng(0)
    real = rng.uniform(-0.1, 0.1, (100, 8, 8, 1))
    scores = wasserstein_critic(real - 1, real, seed=0, steps=100, learning_rate=1e-3, width=8, batch=16)
    assert scores["critic_distance"] > 3


def test_overfitting_is_seen():
    # Ten points in 50 dimensions on each side, from the same distribution: the critic learns the ones it is shown.
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 20, 50))
    scores = wasserstein_critic(fake, real, seed=0, steps=300, learning_rate=2e-3, every=300)
    assert scores["critic_distance_train"] > 3 + scores["critic_distance"]


def test_same_seed_same_numbers():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 20, 2))
    one, again = (wasserstein_critic(fake, real, seed=1, steps=3)["critic_distance"] for _ in range(2))
    assert one == again


@pytest.mark.parametrize(
    ("samples", "settings", "message"),
    [
        (np.zeros((10, 3)), {}, "they must be alike"),
        (np.zeros((3, 2)), {}, "4 or more"),
        (np.zeros((10, 2)), {"batch": 0}, "batch 0"),
        (np.zeros((10, 2)), {"steps": 0}, "0 steps"),
        (np.full((10, 2), np.nan), {"steps": 1}, "the loss is nan"),
    ],
)
def test_bad_input(samples, settings, message):
    with pytest.raises(ValueError, match=message):
        wasserstein_critic(samples, np.zeros((10, 2)), seed=0, **settings)
