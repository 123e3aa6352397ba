"""One step of AAE against its two phases."""

from functools import partial

import numpy as np
from scipy import stats

from bms_tf.networks import roles
from bms_tf.objectives import visible
from bms_tf.systems.aae import AAE
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, gaussian, probability

SCALE = 0.7
GENERATOR = partial(roles.generator, visible=partial(visible.Gaussian, scale=SCALE))


def build() -> AAE:
    return AAE(
        **tiny.networks(
            encoder=roles.gaussian_encoder, generator=GENERATOR, code_discriminator=roles.code_discriminator
        )
    )


def code(w, draws):
    mean, stddev = gaussian(w["encoder"], X)
    return mean + stddev * draws.normal("posterior", (B, Z))


def test_a_step(check_step):
    def reconstruction(w, draws):
        x_hat = forward(w["generator"], code(w, draws))
        loss = {"reconstruction": -stats.norm.logpdf(X, x_hat, SCALE).sum(axis=-1)}
        return {"encoder": loss, "generator": loss}

    def code_discriminator(w, draws):
        prior = probability(w["code_discriminator"], draws.normal("prior", (B, Z)))
        posterior = probability(w["code_discriminator"], code(w, draws))
        return {"code_discriminator": {"prior": -np.log(prior), "posterior": -np.log(1 - posterior)}}

    def regularization(w, draws):
        return {"encoder": {"prior": -np.log(probability(w["code_discriminator"], code(w, draws)))}}

    phases = {
        "reconstruction": reconstruction,
        "code_discriminator": code_discriminator,
        "regularization": regularization,
    }
    check_step(build(), X, phases)
