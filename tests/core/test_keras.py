"""One Keras for all of us, and one line where another one comes in."""

import pytest
import tensorflow as tf

from bms_tf.core.keras import keras, require_same_keras


@pytest.mark.parametrize("make", [lambda: keras.layers.Dense(1), keras.Sequential, keras.optimizers.Adam])
def test_our_objects_pass(make):
    require_same_keras(make(), "network")


def test_another_keras_is_refused_in_one_line():
    # The other one: Keras 3 beside a new TensorFlow, tf_keras beside TensorFlow 2.15.
    other = pytest.importorskip("tf_keras" if tf.__version__.startswith("2.15.") else "keras")  # noqa: TID251
    for foreign in (other.layers.Dense(1), other.optimizers.Adam()):
        with pytest.raises(ValueError, match=r"^discriminator must come from .* received .*\.(Dense|Adam)\.$"):
            require_same_keras(foreign, "discriminator")
