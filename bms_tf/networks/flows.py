"""Normalizing flows: invertible maps of codes, from TensorFlow Probability's bijectors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from bms_tf.core.keras import keras

if TYPE_CHECKING:
    from tensorflow_probability.python.bijectors.bijector import Bijector


def real_nvp(couplings: Sequence[keras.Model], code_size: int) -> "Bijector":
    """RealNVP (Dinh, Sohl-Dickstein, Bengio 2017, eq. 7): a bijector of codes [..., Z], one layer for each network.

    A layer leaves the first Z // 2 dimensions as they are. Its network reads these, and gives the shifts and scales of
    the others. Between layers, the order of the dimensions is reversed. Log scales go through tanh, as in the paper.

    Args:
        couplings: the layers' networks, each from [B, Z // 2] to [B, 2 (Z - Z // 2)].
        code_size: Z.

    Raises:
        ValueError: if codes have only one dimension, which cannot be split in two.
    """
    from tensorflow_probability import bijectors as tfb  # takes seconds to import

    if code_size < 2:
        raise ValueError(f"RealNVP needs codes of at least 2 dimensions; the code size is {code_size}")
    kept = code_size // 2

    def layer(network: keras.Model):
        def shift_and_log_scale(x, units):
            numbers = tf.reshape(network(tf.reshape(x, [-1, kept])), tf.concat([tf.shape(x)[:-1], [2 * units]], axis=0))
            shift, log_scale = tf.split(numbers, 2, axis=-1)
            return shift, tf.tanh(log_scale)

        return tfb.RealNVP(num_masked=kept, shift_and_log_scale_fn=shift_and_log_scale)

    order = list(reversed(range(code_size)))
    first, *rest = map(layer, couplings)
    return tfb.Chain([first, *(bijector for each in rest for bijector in (tfb.Permute(order), each))])
