"""One step of VAE-GAN against Larsen et al.'s algorithm 1."""

import numpy as np
import pytest

from bms_tf.networks import roles
from bms_tf.systems.vae_gan import VAEGAN
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, gaussian, hidden, probability

GAMMA = 1.7


def build(gamma=GAMMA) -> VAEGAN:
    networks = tiny.networks(
        encoder=roles.gaussian_encoder, generator=roles.generator, discriminator=roles.discriminator
    )
    return VAEGAN(**networks, gamma=gamma)


def game(w, draws):
    mean, stddev = gaussian(w["encoder"], X)
    x_hat = forward(w["generator"], mean + stddev * draws.normal("posterior", (B, Z)))
    x_gen = forward(w["generator"], draws.normal("prior", (B, Z)))
    # Minus the log density of N(f(x_hat), I) at f(x), but for its constant; f is the discriminator's hidden layer.
    difference = hidden(w["discriminator"], X) - hidden(w["discriminator"], x_hat)
    reconstruction = 0.5 * (difference**2).sum(axis=-1)
    real, hat, gen = (probability(w["discriminator"], x) for x in (X, x_hat, x_gen))
    return {
        # KL[N(m, s^2) || N(0, 1)] summed over dimensions.
        "encoder": {
            "prior": ((stddev**2 + mean**2 - 1) / 2 - np.log(stddev)).sum(axis=-1),
            "reconstruction": reconstruction,
        },
        "generator": {
            "reconstruction": GAMMA * reconstruction,
            "adversarial_reconstruction": -np.log(hat),
            "sample": -np.log(gen),
        },
        "discriminator": {"real": -np.log(real), "reconstruction": -np.log(1 - hat), "sample": -np.log(1 - gen)},
    }


def test_a_step(check_step):
    check_step(build(), X, {"game": game})


def test_gamma_must_not_be_negative():
    with pytest.raises(ValueError, match="gamma is -0.1; it must not be negative"):
        build(gamma=-0.1)
