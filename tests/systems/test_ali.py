"""One step of ALI and of BiGAN against the equations."""

import numpy as np
import pytest

from bms_tf.networks import roles
from bms_tf.systems.ali import ALI
from tests.systems import tiny
from tests.systems.tiny import B, X, Z, forward, gaussian, probability


def code_of_ali(w, draws):
    mean, stddev = gaussian(w["encoder"], X)
    return mean + stddev * draws.normal("posterior", (B, Z))


def code_of_bigan(w, draws):
    return forward(w["encoder"], X)


@pytest.mark.parametrize(
    ("encoder", "code"),
    [(roles.gaussian_encoder, code_of_ali), (roles.deterministic_encoder, code_of_bigan)],
    ids=["ALI", "BiGAN"],
)
def test_a_step(check_step, encoder, code):
    def game(w, draws):
        # The minimax game V = E log D(x, z_hat) + E log(1 - D(G(z), z)) (eq. 3): D maximizes it, the others maximize
        # what D takes for the other kind of pair.
        z = draws.normal("prior", (B, Z))
        data = probability(w["joint_discriminator"], X, code(w, draws))
        model = probability(w["joint_discriminator"], forward(w["generator"], z), z)
        return {
            "autoencoder": {"data": -np.log(1 - data), "model": -np.log(model)},
            "joint_discriminator": {"data": -np.log(data), "model": -np.log(1 - model)},
        }

    networks = tiny.networks(encoder=encoder, generator=roles.generator, joint_discriminator=roles.joint_discriminator)
    check_step(ALI(**networks), X, {"game": game})
