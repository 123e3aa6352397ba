"""One Keras for all of us, and one line where another one comes in."""

import pytest
import tensorflow as tf

from bms_tf.core.keras import keras, require_same_keras


@pytest.mark.parametrize("make", [lambda: keras.layers.Dense(1), keras.Sequential, keras.optimizers.Adam])
def test_our_objects_pass(make):
    assert require_same_keras(make(), "network") is None


def test_another_keras_is_refused_in_one_line():
    if tf.__version__.startswith("2.15."):  # there Keras 3 cannot be had: something that is no Keras object at all
        foreign = [tf.Module(), object()]
    else:
        import keras as keras_3  # noqa: TID251

        foreign = [keras_3.layers.Dense(1), keras_3.optimizers.Adam()]
    for thing in foreign:
        with pytest.raises(ValueError, match=rf"^discriminator must come from .* received .*{type(thing).__name__}\.$"):
            require_same_keras(thing, "discriminator")
