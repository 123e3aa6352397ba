"""Dropout by keys: what it drops, and that a resumed run drops the same."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.functional import keyed
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.networks.layers import Dropout


def network(rate=0.8):
    return keras.Sequential([keras.Input((500,)), Dropout(rate), Dropout(0.5)])


def passes(layer, key, count=1, x=None):
    x = tf.ones([4, 500]) if x is None else x
    with keyed([layer], key):
        return [layer(x, training=True).numpy() for _ in range(count)]


def test_it_drops_its_share_and_keeps_the_mean():
    (outputs,) = passes(keras.Sequential([keras.Input((500,)), Dropout(0.8)]), Key([0, 0]))
    # What is left is divided by 1 - 0.8. The share of zeros of 2000 has a deviation of sqrt(.8 * .2 / 2000) = 0.9 %.
    assert set(np.unique(outputs)) == {0.0, np.float32(1 / (1 - 0.8))}
    assert abs(np.mean(outputs == 0) - 0.8) < 5 * 0.009


def test_noise_is_of_the_key_the_layer_and_the_call():
    model = network()
    first, second = passes(model, Key([3, 1]), count=2)
    again = passes(model, Key([3, 1]), count=2)
    np.testing.assert_array_equal([first, second], again)  # a resumed step
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, passes(model, Key([3, 2]))[0])
    twice = keras.Sequential([keras.Input((500,)), Dropout(0.5), Dropout(0.5)])
    # Two layers with the same noise would leave 1/2 and not 1/4.
    assert abs(np.mean(passes(twice, Key([0, 0]))[0] > 0) - 0.25) < 5 * 0.01


def test_replicas_take_their_rows_of_the_global_noise():
    (whole,) = passes(network(), Key([3, 1]))
    halves = [passes(network(), Key([3, 1], replica=r, replicas=2), x=tf.ones([2, 500]))[0] for r in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves), whole)


def test_without_training_nothing_is_dropped():
    model = network()
    x = tf.random.stateless_normal([4, 500], [0, 0])
    with keyed([model], Key([0, 0])):
        np.testing.assert_array_equal(model(x, training=False), x)


def test_the_gradient_passes_where_nothing_was_dropped():
    model, x = network(), tf.ones([4, 500])
    with keyed([model], Key([0, 0])), tf.GradientTape() as tape:
        tape.watch(x)
        outputs = model(x, training=True)
    np.testing.assert_allclose(tape.gradient(outputs, x), outputs)  # 0 or 1 / (.2 * .5), as the outputs for ones


def test_the_rate_is_checked():
    with pytest.raises(ValueError, match="rate of dropout is 1.0"):
        Dropout(1.0)
