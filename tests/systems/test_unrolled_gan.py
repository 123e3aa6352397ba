"""Unrolled GAN's step against gradient ascent on the discriminator, written out for a linear one."""

import numpy as np
import pytest

from bms_tf.systems.unrolled_gan import UnrolledGAN


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


# The numeric differences of the generator's loss go through every one of the unrolled updates.
@pytest.mark.parametrize("K", [0, 1, 5])
def test_every_term_and_gradient(pair, check_step, K):
    x, rate = pair.x, 0.4

    def discriminator(w, draws):
        real, sample = sigmoid(pair.d(w, x)), sigmoid(pair.d(w, pair.g(w, draws)))
        return {"discriminator": {"real": -np.log(real), "sample": -np.log(1 - sample)}}

    def generator(w, draws):
        # With D = sigmoid(v . x + c), the gradient of -log D(x) in (v, c) is -(1 - D(x)) (x, 1), and that of
        # -log(1 - D(x)) is D(x) (x, 1).
        x_gen = pair.g(w, draws)
        v, c = w["discriminator"]
        for _ in range(K):
            missed, fooled = 1 - sigmoid((x @ v + c)[:, 0]), sigmoid((x_gen @ v + c)[:, 0])
            slope_v = (fooled[:, None] * x_gen - missed[:, None] * x).mean(axis=0)[:, None]
            v, c = v - rate * slope_v, c - rate * (fooled - missed).mean()
        return {"generator": {"sample": -np.log(sigmoid(pair.d({"discriminator": (v, c)}, x_gen)))}}

    system = UnrolledGAN(**pair.networks, K=K, rate=rate)
    before = system.discriminator.get_weights()
    check_step(system, x, {"discriminator": discriminator, "generator": generator})
    for weight, old in zip(system.discriminator.get_weights(), before):
        np.testing.assert_array_equal(weight, old)
    assert system.batch_coupled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"K": -1, "rate": 0.1}, "K is -1; it must lie in \\[0, 1000\\]"),
        ({"K": 5, "rate": 0.0}, "rate is 0.0; it must be positive"),
    ],
)
def test_values_out_of_range(pair, options, message):
    with pytest.raises(ValueError, match=message):
        UnrolledGAN(**pair.networks, **options)
