"""What a run asks of its data."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.measuring import Measured
from bms_tf.networks.mlp import mlp
from bms_tf.systems.gan import GAN


def data(split, start_step, examples_per_step, seed, input_context):
    rows = tf.data.Dataset.range(start_step * examples_per_step, 100).map(lambda n: n, tf.data.AUTOTUNE)
    return rows.batch(examples_per_step).prefetch(tf.data.AUTOTUNE)


def test_data_are_not_tuned_while_they_run():
    # A run that had said "stopped by SIGTERM" lived on for up to a minute: its iterator waited for tf.data's tuner.
    asks = SimpleNamespace(recipe=SimpleNamespace(data=data, seed=0), examples_per_step=4)
    dataset = Measured.dataset(asks, "train", 2)
    assert next(dataset.as_numpy_iterator()).tolist() == [8, 9, 10, 11]
    assert dataset.options().autotune.enabled is False


BLACK = -np.ones([8, 4, 4, 1], np.float32)


def measured(pictures, make=lambda examples, count: tf.data.Dataset.from_tensor_slices(examples).batch(count, True)):
    """A system of pictures beside `make(pictures, batch size)`."""
    networks = {"discriminator": mlp(input_shape=(4, 4, 1), output_shape=())}
    system = GAN(generator=mlp(input_shape=(3,), output_shape=(4, 4, 1)), **networks)
    recipe = SimpleNamespace(
        data=lambda split, start_step, examples_per_step, seed, input_context: make(pictures, examples_per_step),
        **{"metrics": (), "features": None, "seed": 0, "batch_size": 4, "floor_split": "validation"},
    )
    return Measured(recipe, system)


@pytest.mark.parametrize("pictures", [BLACK, -BLACK, 1.008 * BLACK])
def test_data_that_fit(pictures):
    measured(pictures).check_data()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([BLACK, lambda examples, count: examples], "train.data gives ndarray; it must give a tf.data.Dataset"),
        ([(BLACK, np.zeros(8))], "the data has batches that are a tuple; they must be one tensor, without labels"),
        ([BLACK[:, :2]], r"the data has examples of shape \(2, 4, 1\); the generator makes \(4, 4, 1\)"),
        ([BLACK.astype(np.uint8)], r"the data is uint8; it must be float32, pictures in \[-1, 1\]"),
        (
            [BLACK, lambda examples, count: tf.data.Dataset.from_tensor_slices(examples).batch(count)],
            "the data has batches of unknown size; it must be batched with drop_remainder=True",
        ),
        ([127.5 * (BLACK + 2)], r"the data has pictures with values in \[127\.5, 127\.5\]; they must lie in \[-1, 1\]"),
    ],
)
def test_data_that_do_not_fit(arguments, line):
    with pytest.raises(ValueError, match=line):
        measured(*arguments).check_data()
