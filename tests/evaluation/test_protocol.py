"""The protocol of a line: the settings that its metric used, and the classifier."""

import gin
import numpy as np
import pytest

from bms_tf.evaluation import tables
from bms_tf.evaluation.run import evaluate, settings_of
from bms_tf.metrics.classifier import class_scores
from bms_tf.metrics.stacked import stacked_scores
from tests.metrics.three_classes import ThreeClasses

pytestmark = pytest.mark.usefixtures("cache")


def one(samples, reference, *, seed):
    return {"one": 1.0}


@gin.configurable(module="test_protocol")
def width(x, *, scale: float = 1.0):
    return scale * x


@gin.configurable(module="test_protocol")
def widths(samples, reference, *, seed, hidden=(2, 3), function=width, within: float = 0.5, more=()):
    return {"width": function(1.0)}


def test_the_settings_are_all_that_the_metric_used():
    def settings(*gin_param):
        return evaluate(samples=np.eye(9), data=np.eye(9), metrics=[widths], gin_param=gin_param)[0]["protocol"][
            "settings"
        ]

    default = {"hidden": [2, 3], "function": "@width", "within": 0.5, "more": [], "width.scale": 1.0}
    assert settings() == default
    assert settings("widths.hidden = (8,)") == default | {"hidden": [8]}
    assert settings("n = 2.5", "widths.within = %n") == default | {"within": 2.5}, "what a macro stands for"
    assert settings("width.scale = 3.0") == default | {"width.scale": 3.0}
    del default["width.scale"]
    in_scope = settings("widths.function = @a/width", "a/width.scale = 2.0")
    assert in_scope == default | {"function": "@a/width", "a/width.scale": 2.0}
    assert settings("widths.more = [@width, {'a': @width()}, 'x']", "width.x = 1")["more"] == [
        "@width",
        {"a": "@width()"},
        "x",
    ]


gin.external_configurable(ThreeClasses, "three_classes", module="test_protocol")


class ThreeClassesAsNetwork(ThreeClasses):
    def __call__(self, x):
        return {"features": self.features(x)}


@pytest.mark.parametrize("metric", [class_scores, stacked_scores])
def test_the_classifier_is_in_the_protocol(metric):
    pixels = np.full([8, 1, 1, 1], 255, np.uint8)
    pixels[::2] = 126
    binding = f"{metric.__name__}.classifier = @three_classes()"
    lines = evaluate(samples=pixels, data=pixels, metrics=[metric], gin_param=[binding])
    for line in lines:
        assert line["protocol"]["features"] == "three_classes" and line["protocol"]["weights_sha256"] == "3" * 64
    assert "features" not in {line["name"] for line in lines}
    # The same words as those of a score in its features.
    of_features = evaluate(samples=pixels, data=pixels, metrics=[one], features=ThreeClassesAsNetwork())
    assert len({tables._protocol(line) for line in (*lines, *of_features)}) == 1


def test_settings_of_a_function_that_gin_does_not_know():
    def plain(samples, reference, *, seed, k=3, given):
        pass

    assert settings_of(plain, {}) == {"k": 3}
    assert settings_of(one, {}) == {}
