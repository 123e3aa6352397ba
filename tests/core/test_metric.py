"""What a metric is given, by the names of its parameters and what it says that it needs."""

import re

import gin
import numpy as np
import pytest
from matplotlib.figure import Figure

from bms_tf.core import config, metric, recipe  # noqa: F401
from bms_tf.core.scoring import Scoring


@gin.configurable(module="test_metric")
def in_values(samples, reference, *, seed):
    return {"a": 1.0}


in_values.needs = "values"


def in_features(samples, reference, *, seed, k=3):
    return {}


def of_model(model, reference, *, seed):
    return {}


def backwards(reference, samples, *, seed):
    return {}


def test_what_it_takes():
    assert [metric.takes(m) for m in (in_values, in_features, of_model)] == ["samples", "samples", "model"]
    with pytest.raises(ValueError, match="backwards is no metric: its first parameters must be samples or model, and "):
        metric.takes(backwards)
    assert metric.parameters(in_features) == ("samples", "reference", "seed", "k")


def test_what_it_needs():
    assert (metric.needs(in_values), metric.needs(in_features)) == ("values", "features")
    of_model.needs = "pixels"
    with pytest.raises(
        ValueError, match="of_model.needs is 'pixels'; it must be one of features, values, rows, logits"
    ):
        metric.needs(of_model)


def test_gin_s_references_to_it_say_it_too():
    config.load([], ["train.metrics = [@in_values, @scope/in_values]"])
    for reference in gin.query_parameter("train.metrics"):
        assert metric.needs(reference.scoped_configurable_fn) == "values"
        assert metric.takes(reference.scoped_configurable_fn) == "samples"


def test_numbers_words_and_figures():
    answer = {"a": np.float32(2), "b": 3, "weights_sha256": "ab", "picture": Figure()}
    assert metric.numbers(answer) == {"a": 2.0, "b": 3.0}
    assert metric.words(answer) == {"weights_sha256": "ab"}
    assert metric.figures(answer) == {"picture": answer["picture"]}


@pytest.mark.parametrize("answer", [0.5, None, "ab", {"a": np.zeros(3)}, {"a": None}])
def test_what_is_no_answer(answer):
    def own(samples, reference, *, seed):
        return answer

    line = f"own must return a dict of numbers by name; it returned {answer!r}"
    with pytest.raises(ValueError, match=re.escape(line)):
        metric.answer_of(own, [], [], seed=0)
    with pytest.raises(ValueError, match=re.escape(line)):
        Scoring([own], None, None, seed=0).scores(np.zeros([4, 2]), np.zeros([4, 2]))
