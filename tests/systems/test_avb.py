"""One step of AVB against algorithm 1."""

from functools import partial

import numpy as np
from scipy import stats

from bms_tf.networks import roles
from bms_tf.objectives import visible
from bms_tf.systems.avb import AVB
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, logit

GENERATOR = partial(roles.generator, visible=partial(visible.Gaussian, scale=0.7))


def test_a_step(check_step):
    def iteration(w, draws):
        noise, z = draws.normal("posterior", (B, Z)), draws.normal("prior", (B, Z))
        z_hat = forward(w["encoder"], np.concatenate([X, noise], axis=-1))
        t_posterior, t_prior = (logit(w["joint_discriminator"], X, codes) for codes in (z_hat, z))
        log_p = stats.norm.logpdf(X, forward(w["generator"], z_hat), 0.7).sum(axis=-1)
        # eq. 3.3: T maximizes log sigma(T(x, z_hat)) + log(1 - sigma(T(x, z))); eq. 3.7: the others maximize
        # -T(x, z_hat) + log p(x|z_hat).
        return {
            "autoencoder": {"reconstruction": -log_p, "kl": t_posterior},
            "joint_discriminator": {
                "posterior": np.log(1 + np.exp(-t_posterior)),
                "prior": np.log(1 + np.exp(t_prior)),
            },
        }

    networks = tiny.networks(
        encoder=roles.noise_fed_encoder, generator=GENERATOR, joint_discriminator=roles.joint_discriminator
    )
    check_step(AVB(**networks), X, {"iteration": iteration})
