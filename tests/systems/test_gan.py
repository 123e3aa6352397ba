"""GAN's step against equation 1 and the non-saturating loss, on linear networks."""

import numpy as np
import pytest

from bms_tf.systems.gan import GAN


@pytest.fixture
def gan(linear):
    return GAN(generator=linear([[0.5, -1.0]], [0.2, 0.1]), discriminator=linear([[0.7], [-0.4]], [0.3], logits=True))


X = np.array([[1.0, 0.5], [-0.6, 2.0]])


def logits(w, x):
    """D(x) = v . x + c."""
    v, c = w["discriminator"]
    return (x @ v + c)[:, 0]


def samples(w, draws):
    """G(z) = z a + b."""
    a, b = w["generator"]
    return draws.normal("prior", (2, 1)) @ a + b


def probability(w, x):
    return 1 / (1 + np.exp(-logits(w, x)))


def test_every_term_and_gradient(gan, check_step):
    def discriminator(w, draws):
        real, sample = probability(w, X), probability(w, samples(w, draws))
        return {"discriminator": {"real": -np.log(real), "sample": -np.log(1 - sample)}}

    def generator(w, draws):
        return {"generator": {"sample": -np.log(probability(w, samples(w, draws)))}}

    check_step(gan, X, {"discriminator": discriminator, "generator": generator})
