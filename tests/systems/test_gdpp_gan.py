"""GDPP-GAN's step, with features that are the data themselves, as a linear discriminator's are."""

import numpy as np
import pytest

from bms_tf.systems.gdpp_gan import GDPPGAN

X = np.array([[1.0, 0.5], [-0.6, 2.0], [0.4, -0.9]])


def spectrum(x):
    phi = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.linalg.eigh(phi @ phi.T)


def test_every_term_and_gradient(pair, check_step):
    def probability(w, x):
        return 1 / (1 + np.exp(-pair.d(w, x)))

    def discriminator(w, draws):
        real, sample = probability(w, X), probability(w, pair.g(w, draws, 3))
        return {"discriminator": {"sample": -np.log(real) - np.log(1 - sample)}}

    def generator(w, draws):
        x_gen = pair.g(w, draws, 3)
        (l_real, v_real), (l_sample, v_sample) = spectrum(X), spectrum(x_gen)
        weights = (l_real - l_real[0]) / (l_real[-1] - l_real[0])
        terms = {
            "sample": -np.log(probability(w, x_gen)),
            "magnitude": 0.2 * np.mean((l_real - l_sample) ** 2),
            "structure": -np.sum(weights * np.abs(np.sum(v_real * v_sample, axis=0))),
        }
        return {"generator": terms}

    system = GDPPGAN(**pair.networks, magnitude_weight=0.2)
    check_step(system, X, {"discriminator": discriminator, "generator": generator})
    assert system.batch_coupled


def test_values_out_of_range(pair):
    with pytest.raises(ValueError, match="magnitude_weight is -1.0; it must not be negative"):
        GDPPGAN(**pair.networks, magnitude_weight=-1.0)
