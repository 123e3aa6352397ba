"""Metrics in training are given features of the network that is named, once, and the model."""

import numpy as np
import pytest

from bms_tf.core.examples import Rows, as_bytes, as_floats
from bms_tf.core.scoring import Scoring
from bms_tf.metrics.frechet import frechet, frechet_distance
from bms_tf.networks.mlp import mlp
from bms_tf.systems.gan import GAN

RNG = np.random.default_rng(0)
SAMPLES, REFERENCE = RNG.normal(size=(40, 2)).astype(np.float32), RNG.normal(1, 1, size=(50, 2)).astype(np.float32)


def shapes(samples, reference, *, seed):
    return {"samples": samples.shape[-1], "seed": seed, "logits": samples[0, 0]}


shapes.needs = "logits"


def kinds(samples, reference, *, seed):
    return {"is_rows": isinstance(samples, Rows), "first": samples[0].mean()}


kinds.needs = "rows"


def whole(samples, reference, *, seed):
    return {"is_array": type(samples) is np.ndarray}


whole.needs = "values"


def of_model(model, reference, *, seed):
    return {"size": model.code_size, "mean": model.generate(np.zeros([1, 3])).numpy().mean() * len(reference)}


@pytest.fixture(scope="module")
def system():
    return GAN(generator=mlp(input_shape=(3,), output_shape=(2,)), discriminator=mlp(input_shape=(2,), output_shape=()))


class Network:
    made = 0

    def __init__(self):
        Network.made += 1
        self.seen = []

    def __call__(self, x):
        self.seen.append(len(x))
        return {"features": 2 * x, "logits": x[:, :1]}


def test_features_are_computed_once_of_the_reference_and_once_a_call_of_samples(system):
    networks = []

    def make():
        networks.append(Network())
        return networks[-1]

    scoring = Scoring([frechet, shapes], make, system, seed=7)
    assert Network.made == 0, "not before it is needed"
    scores = scoring.scores(SAMPLES, REFERENCE)
    assert scores["frechet_distance"] == pytest.approx(frechet_distance(2 * SAMPLES, 2 * REFERENCE), rel=1e-6)
    assert (scores["samples"], scores["seed"], scores["logits"]) == (1, 7, SAMPLES[0, 0])
    assert scoring.scores(SAMPLES + 1, REFERENCE)["frechet_distance"] != scores["frechet_distance"]
    assert [network.seen for network in networks] == [[40, 50, 40]]


def test_without_a_network_they_are_the_numbers_as_they_are(system):
    scores = Scoring([frechet], None, system, seed=0).scores(SAMPLES, REFERENCE)
    assert scores["frechet_distance"] == pytest.approx(frechet_distance(SAMPLES, REFERENCE), rel=1e-6)
    with pytest.raises(ValueError, match="train.features gives no logits"):
        Scoring([shapes], None, system, seed=0).scores(SAMPLES, REFERENCE)


def test_examples_as_the_metric_needs_them(system):
    stored = as_bytes(RNG.uniform(-1, 1, (6, 2, 2, 1)))
    scores = Scoring([kinds, whole], None, system, seed=0).scores(Rows(stored), Rows(stored))
    assert (scores["is_rows"], scores["is_array"]) == (1, 1)
    assert scores["first"] == pytest.approx(as_floats(stored)[0].mean())


def test_samples_that_are_not_finite_have_no_features(system):
    samples = SAMPLES.copy()
    samples[3, 1] = np.nan
    kept = np.delete(samples, 3, axis=0)
    scores = Scoring([frechet], None, system, seed=0).scores(samples, REFERENCE)
    assert scores["frechet_distance"] == pytest.approx(frechet_distance(kept, REFERENCE), rel=1e-6)
    with pytest.raises(ValueError, match="no sample is finite"):
        Scoring([frechet], None, system, seed=0).scores(samples * np.nan, REFERENCE)


def test_a_metric_of_the_model_sees_it_as_it_is_now(system):
    scoring = Scoring([of_model, kinds], None, system, seed=0)
    first = scoring.scores(SAMPLES, REFERENCE)
    assert first["size"] == 3
    assert first["mean"] == pytest.approx(50 * system.generate(np.zeros([1, 3], np.float32)).numpy().mean(), rel=1e-5)
    bias = system.generator.trainable_variables[-1]
    bias.assign_add([1.0, 1.0])
    assert scoring.scores(SAMPLES, REFERENCE)["mean"] == pytest.approx(first["mean"] + 50, rel=1e-4)
    # Real data have no model.
    assert scoring.scores(SAMPLES, REFERENCE, real=True).keys() == {"is_rows", "first"}
