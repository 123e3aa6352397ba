"""Metrics of many pictures read few at a time, and say what they say of an array in memory."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.examples import Rows, as_floats
from bms_tf.metrics.density_ratio import density_ratio_kl
from bms_tf.metrics.elbo import elbo
from bms_tf.metrics.ivom import ivom
from bms_tf.metrics.low_posterior import low_posterior
from bms_tf.metrics.lpips import lpips_diversity
from bms_tf.metrics.marginal_kl import code_moments, marginal_kl
from bms_tf.metrics.ms_ssim import ms_ssim_diversity
from bms_tf.metrics.wasserstein_critic import wasserstein_critic
from tests.metrics.hand_made import model, normal
from tests.metrics.test_lpips import random_weights

MOST = 500


class Disk:
    """Pictures as bytes of which not more than `MOST` can be had at once."""

    def __init__(self, stored):
        self._stored = stored
        self.shape, self.dtype, self.ndim = stored.shape, stored.dtype, stored.ndim

    def __len__(self):
        return len(self._stored)

    def __getitem__(self, index):
        found = self._stored[index]
        assert len(found) <= MOST
        return found


def pictures(count, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 1), np.uint8)


def encoder():
    def posterior(x):
        return tf.reshape(x, [-1, 16])[:, :2], tf.fill([tf.shape(x)[0], 2], -1.0)

    def generate(z):
        return tf.reshape(tf.tile(tf.tanh(z), [1, 8]), [-1, 4, 4, 1])

    def sample_posterior(x, seeds):
        mean, log_stddev = posterior(x)
        return mean + tf.exp(log_stddev) * normal(seeds, 2)

    discriminate = lambda x: tf.reduce_mean(x, axis=[1, 2, 3])  # noqa: E731
    offered = {"generate": generate, "sample_posterior": sample_posterior, "discriminate": discriminate}
    return model(2, posterior=posterior, **offered)


@pytest.mark.parametrize(
    ("metric", "settings"),
    [
        (marginal_kl, {"codes": 1200}),
        (code_moments, {"noise": 0.1}),
        (density_ratio_kl, {"codes": 1200, "steps": 3, "hidden": (4,)}),
        (elbo, {"ratio_steps": 3, "draws": 2}),
        (low_posterior, {"codes": 1200, "embedded": 0}),
        pytest.param(ivom, {"examples": 20, "iterations": 2, "screening": 2}, marks=pytest.mark.slow),
    ],
)
def test_of_a_model(metric, settings, monkeypatch):
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.energy"), "ROWS", 300)
    monkeypatch.setattr(importlib.import_module("bms_tf.metrics.low_posterior"), "NUMBERS", 300 * 16)
    stored = pictures(1500, 4)
    found = metric(encoder(), Rows(Disk(stored)), seed=0, **settings)
    assert numbers(found) == pytest.approx(numbers(metric(encoder(), as_floats(stored), seed=0, **settings)), rel=1e-6)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "alexnet.npz"
    np.savez(path, **random_weights("alexnet"))
    return str(path)


@pytest.mark.parametrize(
    ("metric", "settings"),
    [
        (ms_ssim_diversity, {"pairs": 150}),
        (lpips_diversity, {"pairs": 20}),
        (wasserstein_critic, {"steps": 3, "width": 2, "batch": 8, "max_examples": 700}),
    ],
)
def test_of_samples(metric, settings, weights):
    if metric is lpips_diversity:
        settings = settings | {"weights": weights}
    samples, reference = pictures(1500, 32), pictures(1200, 32, seed=1)
    found = metric(Rows(Disk(samples)), Rows(Disk(reference)), seed=0, **settings)
    assert metric.needs == "rows"
    whole = metric(as_floats(samples), as_floats(reference), seed=0, **settings)
    assert numbers(found) == pytest.approx(numbers(whole), rel=1e-4)


def numbers(found):
    return {name: value for name, value in found.items() if isinstance(value, float)}
