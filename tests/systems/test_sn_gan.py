"""SN-GAN's step against the hinge losses, and its updates of the discriminator and of the singular vectors."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.networks.layers import SpectralNormalization
from bms_tf.systems.sn_gan import SNGAN


def test_every_term_and_gradient(pair, check_step):
    def discriminator(w, draws):
        real, sample = pair.d(w, pair.x), pair.d(w, pair.g(w, draws))
        return {"discriminator": {"real": np.maximum(0, 1 - real), "sample": np.maximum(0, 1 + sample)}}

    def generator(w, draws):
        return {"generator": {"sample": -pair.d(w, pair.g(w, draws))}}

    system = SNGAN(**pair.networks, discriminator_updates=1)
    check_step(system, pair.x, {"discriminator": discriminator, "generator": generator})


def test_each_update_of_the_discriminator_refines_its_singular_vectors(pair):
    layer = SpectralNormalization(keras.layers.Dense(1))
    networks = {**pair.networks, "discriminator": keras.Sequential([keras.Input((2,)), layer])}
    discriminator, generator = SNGAN(**networks, discriminator_updates=5).phases()
    assert (discriminator.repeats, generator.repeats, generator.before) == (5, 1, None)
    layer.u.assign([[2.0]])
    discriminator.before()
    assert float(tf.norm(layer.u)) == pytest.approx(1)


def test_values_out_of_range(pair):
    with pytest.raises(ValueError, match="discriminator_updates is 0; it must be at least 1"):
        SNGAN(**pair.networks, discriminator_updates=0)
