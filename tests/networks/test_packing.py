"""Packs of examples, and what a system says of a discriminator that sees them."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.system import System
from bms_tf.networks.mlp import mlp
from bms_tf.networks.packing import Pack, packed
from bms_tf.systems.bw_gan import BWGAN
from bms_tf.systems.dist_gan import DistGAN
from bms_tf.systems.wgan_gp import WGANGP

X = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
SHAPES = {"input_shape": (2,), "output_shape": ()}


def built(size):
    keras.utils.set_random_seed(3)
    return packed(mlp, size, **SHAPES)


def test_packs():
    np.testing.assert_array_equal(Pack(2)(X), [[1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 1, 2]])
    images = tf.reshape(X, [3, 2, 1, 1])
    # The channels of a pack are its examples, in order.
    np.testing.assert_array_equal(Pack(3)(images)[1, :, 0], [[3, 5, 1], [4, 6, 2]])


def test_logits_are_those_of_the_packs():
    network = built(2)
    inner = network.layers[-1]
    assert inner.input_shape == (None, 4)
    np.testing.assert_allclose(network(X), inner(tf.constant([[1.0, 2, 3, 4], [3, 4, 5, 6], [5, 6, 1, 2]])), rtol=1e-6)


def test_packing_of_one_changes_nothing():
    keras.utils.set_random_seed(3)
    plain = mlp(**SHAPES)
    np.testing.assert_array_equal(built(1)(X), plain(X))
    assert [type(layer) for layer in built(1).layers] == [type(layer) for layer in plain.layers]


def test_a_system_with_packs_is_batch_coupled_and_judges_no_example_alone():
    def system(size):
        return System(networks={"generator": mlp(input_shape=(1,), output_shape=(2,)), "discriminator": built(size)})

    assert not system(1).batch_coupled and {"discriminate", "features"} <= set(system(1).offers)
    assert system(2).batch_coupled and not {"discriminate", "features"} & set(system(2).offers)


def test_values_out_of_range():
    with pytest.raises(ValueError, match="packing is 0; it must lie in 1..100"):
        built(0)


@pytest.mark.parametrize(
    ("system", "options"),
    [
        (WGANGP, {"lambda_": 10.0, "critic_updates": 1}),
        (BWGAN, {"s": 0.0, "p": 2.0, "critic_updates": 1}),
        (DistGAN, {"encoder": None, "lambda_r": 1.0, "lambda_p": 1.0, "horizon": None}),
    ],
)
def test_a_penalty_on_the_slope_at_one_example_is_refused(system, options):
    discriminator = packed(mlp, 2, input_shape=(2,), output_shape=())
    with pytest.raises(ValueError, match=f"{system.__name__} penalizes the slope at one example; it must have discrim"):
        system(generator=mlp(input_shape=(3,), output_shape=(2,)), discriminator=discriminator, **options)
