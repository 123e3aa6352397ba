"""What a run asks of its data."""

from types import SimpleNamespace

import tensorflow as tf

from bms_tf.core.measuring import Measured


def data(split, start_step, examples_per_step, seed, input_context):
    rows = tf.data.Dataset.range(start_step * examples_per_step, 100).map(lambda n: n, tf.data.AUTOTUNE)
    return rows.batch(examples_per_step).prefetch(tf.data.AUTOTUNE)


def test_data_are_not_tuned_while_they_run():
    # A run that had said "stopped by SIGTERM" lived on for up to a minute: its iterator waited for tf.data's tuner.
    asks = SimpleNamespace(recipe=SimpleNamespace(data=data, seed=0), examples_per_step=4)
    dataset = Measured.dataset(asks, "train", 2)
    assert next(dataset.as_numpy_iterator()).tolist() == [8, 9, 10, 11]
    assert dataset.options().autotune.enabled is False
