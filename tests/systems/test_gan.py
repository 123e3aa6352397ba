"""GAN's step against equation 1 and the non-saturating loss."""

import numpy as np

from bms_tf.systems.gan import GAN


def test_every_term_and_gradient(pair, check_step):
    def probability(w, x):
        return 1 / (1 + np.exp(-pair.d(w, x)))

    def discriminator(w, draws):
        real, sample = probability(w, pair.x), probability(w, pair.g(w, draws))
        return {"discriminator": {"real": -np.log(real), "sample": -np.log(1 - sample)}}

    def generator(w, draws):
        return {"generator": {"sample": -np.log(probability(w, pair.g(w, draws)))}}

    check_step(GAN(**pair.networks), pair.x, {"discriminator": discriminator, "generator": generator})
