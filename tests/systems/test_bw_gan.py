"""BW-GAN's step against the critic's loss: on vectors with l2 norms, on images with the Sobolev norm and its dual."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.systems.bw_gan import BWGAN

PAPER = {"s": 0.0, "p": 10.0, "critic_updates": 5}


def test_every_term_and_gradient(pair, check_step):
    # Both norms are l2, so that lambda = gamma = E ||x||; the critic's slope is v.
    gamma = np.linalg.norm(pair.x, axis=1).mean()

    def critic(w, draws):
        real, sample = pair.d(w, pair.x), pair.d(w, pair.g(w, draws))
        slope = np.linalg.norm(w["discriminator"][0])
        penalty = gamma * (slope / gamma - 1) ** 2
        terms = {"real": -real / gamma, "sample": sample / gamma, "gradient_penalty": penalty, "drift": 0.3 * real**2}
        return {"discriminator": terms}

    def generator(w, draws):
        return {"generator": {"sample": -pair.d(w, pair.g(w, draws)) / gamma}}

    system = BWGAN(**pair.networks, **PAPER, drift_weight=0.3)
    check_step(system, pair.x, {"discriminator": critic, "generator": generator})
    assert [phase.repeats for phase in system.phases()] == [5, 1] and system.batch_coupled


def test_norm_and_dual_norm_of_images(pair):
    # Of a constant image, whose only frequency is 0: the l^10 norm of 16 entries of 3 is 3 * 16^(1/10), and the dual
    # norm, l^(10/9), is 3 * 16^(9/10).
    system = BWGAN(**pair.networks, s=-1.5, p=10.0, critic_updates=1)
    x = tf.fill([2, 4, 4, 1], 3.0)
    np.testing.assert_allclose(system.norm(x), 2 * [3 * 16**0.1], rtol=1e-5)
    np.testing.assert_allclose(system.dual_norm(x), 2 * [3 * 16**0.9], rtol=1e-5)
    # A chessboard has the highest frequency in both directions alone, which weighs (1 + 5 * 2)^(s / 2); the dual's -s.
    board = x * (-1.0) ** (tf.range(4.0)[:, None] + tf.range(4.0))[:, :, None]
    np.testing.assert_allclose(system.norm(board), 2 * [11**-0.75 * 3 * 16**0.1], rtol=1e-5)
    np.testing.assert_allclose(system.dual_norm(board), 2 * [11**0.75 * 3 * 16**0.9], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 1.0}, "p is 1.0; it must be above 1"),
        ({"drift_weight": -1.0}, "drift_weight is -1.0; it must not be negative"),
        ({"critic_updates": 0}, "critic_updates is 0; it must be at least 1"),
    ],
)
def test_values_out_of_range(pair, options, message):
    with pytest.raises(ValueError, match=message):
        BWGAN(**pair.networks, **{**PAPER, **options})
