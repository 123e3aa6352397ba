"""The bound and its surrogates, in a linear Gaussian model where all is known."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from bms_tf.core import config, training
from bms_tf.metrics.elbo import bernoulli_log_likelihood, elbo, gaussian_log_likelihood, laplace_log_likelihood
from tests.metrics.hand_made import gaussian, model

# x = z + .5 e: p(x) = N(0, 1.25), and the posterior is N(x / 1.25, .25 / 1.25).
VARIANCE, SHRINK = 0.25, 1 / 1.25
DATA = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32) * math.sqrt(1.25)


def likelihood(x, mean):
    return gaussian_log_likelihood(x, mean, stddev=math.sqrt(VARIANCE))


def exact(**functions):
    return gaussian(1, lambda x: x * SHRINK, math.sqrt(VARIANCE * SHRINK), generate=lambda z: z, **functions)


def test_the_true_posterior_makes_the_bound_the_likelihood():
    scores = elbo(exact(), DATA, seed=0, log_likelihood=likelihood, draws=100)
    log_p = norm.logpdf(DATA, scale=math.sqrt(1.25)).mean()
    # A draw's log likelihood has a deviation of about .75: 20,000 of them one of .005.
    assert scores["elbo"] == pytest.approx(log_p, abs=0.025)
    average = 0.5 * np.mean((DATA * SHRINK) ** 2 + 0.2 - 1 - math.log(0.2))
    assert scores["elbo_kl"] == pytest.approx(average, rel=1e-5)
    assert scores["elbo"] == pytest.approx(scores["elbo_likelihood"] - average)


def test_another_posterior_is_under_it():
    # By KL[N(m + 1, s^2) || N(m, s^2)] = 1 / (2 s^2) = 2.5.
    other = gaussian(1, lambda x: x * SHRINK + 1, math.sqrt(0.2), generate=lambda z: z)
    scores = elbo(other, DATA, seed=0, log_likelihood=likelihood, draws=100)
    assert scores["elbo"] == pytest.approx(norm.logpdf(DATA, scale=math.sqrt(1.25)).mean() - 2.5, abs=0.08)


def test_the_surrogates():
    # q(z) is the prior here but for the finite data, so that the ratio's KL is near 0; the discriminator's logit is 3
    # everywhere.
    described = exact(discriminate=lambda x: 0 * x[:, 0] + 3)
    scores = elbo(described, DATA, seed=0, log_likelihood=likelihood, ratio_steps=200)
    assert abs(scores["elbo_ratio_kl"]) < 0.1
    assert scores["elbo_ratio"] == pytest.approx(scores["elbo_likelihood"] - scores["elbo_ratio_kl"])
    assert scores["elbo_synthetic"] == pytest.approx(3 - scores["elbo_ratio_kl"])
    assert not any("ratio" in name or "synthetic" in name for name in elbo(described, DATA, seed=0))


def test_an_encoder_without_a_density_has_no_bound():
    scores = elbo(model(1, encode=lambda x: x, generate=lambda z: z + 1), DATA, seed=0)
    # Reconstructions are 1 off: log of the Laplace density of scale 1 there.
    assert scores == {"elbo_likelihood": pytest.approx(-1 - math.log(2), rel=1e-6)}


def test_likelihoods_by_hand():
    x, mean = np.array([[1.0, -1.0]]), np.array([[0.5, 0.0]])
    half = 0.5 * math.log(2 * math.pi)
    assert gaussian_log_likelihood(x, mean, stddev=2.0)[0] == pytest.approx(
        -0.5 * (0.25 + 1) / 4 - 2 * (math.log(2) + half)
    )
    assert laplace_log_likelihood(x, mean, scale=2.0)[0] == pytest.approx(-1.5 / 2 - 2 * math.log(4))
    # Probabilities .75 for a white pixel, .5 for a black one; of a pixel in the middle, half of each.
    assert bernoulli_log_likelihood(x, mean)[0] == pytest.approx(math.log(0.75) + math.log(0.5))
    assert bernoulli_log_likelihood(np.zeros((1, 1)), mean[:, :1])[0] == pytest.approx(
        0.5 * (math.log(0.75) + math.log(0.25))
    )


@pytest.mark.slow
def test_over_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with_elbo.gin").write_text(
        "import bms_tf.metrics.elbo\ntrain.metrics = [@elbo]\nelbo.ratio_steps = 5\n"
    )
    settings = {"updates": 20, "train.log_every": 10, "train.evaluate_every": 10, "train.checkpoint_every": 10}
    settings |= {"train.batch_size": 8, "train.samples": 10, "train.steps_per_execution": 1, "ring.held_out": 100}
    config.load(["gin/ring.gin", "with_elbo.gin"], [f"{name} = {value}" for name, value in settings.items()])
    training.new_run().train("run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    over_time = [line for line in lines if "elbo" in line]
    assert [line["step"] for line in over_time] == [10, 20]
    for line in over_time:
        assert line["elbo"] == pytest.approx(line["elbo_likelihood"] - line["elbo_kl"], rel=1e-4)
        assert math.isfinite(line["elbo_synthetic"])


def test_images_and_bad_input():
    images = np.zeros((5, 2, 2, 1), np.float32)
    flat = model(1, encode=lambda x: x[:, 0, 0], generate=lambda z: tf.ones([tf.shape(z)[0], 2, 2, 1]))
    assert elbo(flat, images, seed=0)["elbo_likelihood"] == pytest.approx(4 * (-1 - math.log(2)))
    with pytest.raises(ValueError, match="draws 0"):
        elbo(flat, images, seed=0, draws=0)
    with pytest.raises(ValueError, match="elbo needs a model that has generate"):
        elbo(model(1), images, seed=0)
    with pytest.raises(ValueError, match="no encoder"):
        elbo(model(1, generate=lambda z: z), images, seed=0)
