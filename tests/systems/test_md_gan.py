"""MD-GAN's step against the mixture's density, written out for a triangle."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.systems.md_gan import MDGAN

# The corners of the triangle whose last one lies at -(1, 1) / sqrt(2), which is at 225 degrees.
ANGLES = np.radians([-15, 105, 225])
CORNERS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def density(e):
    """Of embeddings [..., 2], with variances of .25, up to a constant."""
    return np.exp(-((e[..., None, :] - CORNERS) ** 2).sum(axis=-1) / 0.5).sum(axis=-1)


side = np.linspace(-1, 1, 2001)
PEAK = density(np.stack(np.meshgrid(side, side), axis=-1)).max()


@pytest.fixture
def system(pair, linear):
    return MDGAN(generator=pair.networks["generator"], discriminator=linear([[0.6, -0.3], [0.2, 0.9]], [0.1, -0.4]))


def ratio(w, x):
    kernel, bias = w["discriminator"]
    return density(x @ kernel + bias) / PEAK


def test_every_term_and_gradient(system, pair, check_step):
    def discriminator(w, draws):
        real, sample = ratio(w, pair.x), ratio(w, pair.g(w, draws, codes=pair.uniform))
        return {"discriminator": {"sample": -np.log(real) - np.log(1 - sample)}}

    def generator(w, draws):
        return {"generator": {"sample": np.log(1 - ratio(w, pair.g(w, draws, codes=pair.uniform)))}}

    check_step(system, pair.x, {"discriminator": discriminator, "generator": generator})


def test_discriminate_gives_the_logit_of_the_density_over_its_peak(system, pair):
    w = {"discriminator": system.discriminator.get_weights()}
    logits = system.discriminate(tf.constant(pair.x, tf.float32))
    np.testing.assert_allclose(tf.sigmoid(logits), ratio(w, pair.x), rtol=1e-4)


def test_values_out_of_range(pair):
    with pytest.raises(ValueError, match="variance is 0.0; it must be positive"):
        MDGAN(**pair.networks, variance=0.0)
