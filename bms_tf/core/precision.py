"""Mixed precision: layers compute in bfloat16; their weights, and all that a network returns, are float32."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import tensorflow as tf

from bms_tf.core.keras import is_cast, keras

Precision = Literal["float32", "bfloat16"]


@contextlib.contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers that are made within the context compute in `precision`."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def in_float32(tensors):
    """A tensor, or a structure of them, in float32."""
    return tf.nest.map_structure(lambda tensor: tf.cast(tensor, tf.float32), tensors)


def returning_float32(network: keras.Model) -> keras.Model:
    """`network`, whose calls now return float32. Losses are computed in it, whatever the layers compute in."""
    call = network.call
    network.call = lambda *args, **kwargs: in_float32(call(*args, **kwargs))
    return network


def as_read(tensor: tf.Tensor, weight: tf.Variable, layer: keras.layers.Layer) -> tf.Tensor:
    """`tensor` in the type in which `layer` reads its `weight`. Batch normalization reads float32 in any precision."""
    return tf.cast(tensor, layer.compute_dtype) if is_cast(weight) else tensor
