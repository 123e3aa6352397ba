"""Dist-GAN's step, with features that are the data themselves, as a linear discriminator's are."""

import numpy as np
import pytest

from bms_tf.networks.posteriors import DeterministicEncoder
from bms_tf.systems.dist_gan import DistGAN


@pytest.fixture
def networks(pair, linear):
    encoder = DeterministicEncoder(linear([[0.8], [0.5]], [-0.2]), code_size=1, data_shape=(2,))
    return {"encoder": encoder, **pair.networks}


def test_every_term_and_gradient(networks, pair, check_step):
    x = pair.x

    def probability(w, x):
        return 1 / (1 + np.exp(-pair.d(w, x)))

    def reconstructed(w):
        """E(x) and G(E(x))."""
        (kernel, bias), (a, b) = w["encoder"], w["generator"]
        z_hat = x @ kernel + bias
        return z_hat, z_hat @ a + b

    def autoencoder(w, draws):
        z_hat, x_hat = reconstructed(w)
        # M is a mean over batch and dimensions; a code has 1 dimension and the features have 2.
        distance = np.mean(x_hat - pair.g(w, draws)) - np.sqrt(1 / 2) * np.mean(z_hat - draws.normal("prior", (2, 1)))
        terms = {"reconstruction": np.mean((x - x_hat) ** 2, axis=1), "distance": 0.7 * distance**2}
        return {"encoder": terms, "generator": terms}

    def discriminator(w, draws):
        terms = {
            "real": -0.7 * np.log(probability(w, x)),
            "reconstruction": -0.3 * np.log(probability(w, reconstructed(w)[1])),
            "sample": -np.log(1 - probability(w, pair.g(w, draws))),
            "gradient_penalty": 1.5 * (np.linalg.norm(w["discriminator"][0]) - 1) ** 2,
        }
        return {"discriminator": terms}

    def generator(w, draws):
        difference = probability(w, x).mean() - probability(w, pair.g(w, draws)).mean()
        return {"generator": {"score_distance": abs(difference)}}

    system = DistGAN(**networks, lambda_r=0.7, lambda_p=1.5, reconstruction_weight=0.3)
    check_step(system, x, {"autoencoder": autoencoder, "discriminator": discriminator, "generator": generator})
    assert system.batch_coupled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_r": -1.0}, "lambda_r is -1.0; it must not be negative"),
        ({"lambda_p": -1.0}, "lambda_p is -1.0; it must not be negative"),
        ({"reconstruction_weight": 1.5}, r"reconstruction_weight is 1.5; it must lie in \[0, 1\]"),
    ],
)
def test_values_out_of_range(networks, options, message):
    with pytest.raises(ValueError, match=message):
        DistGAN(**networks, **{"lambda_r": 1.0, "lambda_p": 1.0, **options})
