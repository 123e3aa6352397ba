"""Unrolled GAN's step against gradient ascent on the discriminator, written out for a linear one."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.random import Key
from bms_tf.systems.unrolled_gan import UnrolledGAN


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


# The numeric differences of the generator's loss go through every one of the unrolled updates.
@pytest.mark.parametrize("K", [0, 1, 5])
def test_every_term_and_gradient(pair, check_step, K):
    x, rate = pair.x, 0.4

    def discriminator(w, draws):
        real, sample = sigmoid(pair.d(w, x)), sigmoid(pair.d(w, pair.g(w, draws)))
        return {"discriminator": {"sample": -np.log(real) - np.log(1 - sample)}}

    def generator(w, draws):
        # With D = sigmoid(v . x + c), the gradient of -log D(x) in (v, c) is -(1 - D(x)) (x, 1), and that of
        # -log(1 - D(x)) is D(x) (x, 1).
        x_gen = pair.g(w, draws)
        v, c = w["discriminator"]
        for _ in range(K):
            missed, fooled = 1 - sigmoid((x @ v + c)[:, 0]), sigmoid((x_gen @ v + c)[:, 0])
            slope_v = (fooled[:, None] * x_gen - missed[:, None] * x).mean(axis=0)[:, None]
            v, c = v - rate * slope_v, c - rate * (fooled - missed).mean()
        unrolled = {"discriminator": (v, c)}
        # Minus what D minimizes, of data and of samples.
        of_data, of_samples = np.log(sigmoid(pair.d(unrolled, x))), np.log(1 - sigmoid(pair.d(unrolled, x_gen)))
        return {"generator": {"sample": of_data + of_samples}}

    system = UnrolledGAN(**pair.networks, K=K, rate=rate)
    before = system.discriminator.get_weights()
    check_step(system, x, {"discriminator": discriminator, "generator": generator})
    for weight, old in zip(system.discriminator.get_weights(), before):
        np.testing.assert_array_equal(weight, old)
    assert system.batch_coupled


def slope_of_theta(linear, K, w):
    """The gradient of the generator's loss in theta = 1, where G(z) = theta, D(x) = sigmoid(w x), the data are at 2."""
    networks = {"generator": linear([[0.0]], [1.0]), "discriminator": linear([[w]], [0.0], logits=True)}
    system = UnrolledGAN(**networks, K=K, rate=0.8)
    with tf.GradientTape() as tape:
        losses, _ = system.phases()[1].losses(tf.constant([[2.0]]), Key(tf.zeros([2], tf.int64)))
        loss = tf.reduce_mean(losses["generator"]["sample"])
    return tape.gradient(loss, system.generator.trainable_variables[1]).numpy().item()


def test_data_move_the_generator_through_the_unrolled_discriminator(linear):
    # At w = 0 and with no bias to speak of yet, D is 1/2 everywhere. One step of rate .8 on -log D(2) - log(1 - D(1)):
    # the slope in w is -(1/2) 2 + (1/2) theta = -1/2, that in the bias -(1/2) + 1/2 = 0. So w_1 = .4, and as
    # d(slope)/d(theta) = 1/2 + theta w D (1 - D) = 1/2, w_1 falls by .4 with theta; the bias does not move with it, as
    # its slope has w D (1 - D) = 0 there. Of -f = log D_1(2) + log(1 - D_1(theta)):
    #   through w_1: ((1 - s(.8)) 2 - s(.4) theta) (-.4);  through the sample itself: -s(.4) w_1 = -s(.4) .4.
    s = sigmoid
    expected = -0.4 * (2 * (1 - s(0.8)) - s(0.4)) - 0.4 * s(0.4)
    assert expected == pytest.approx(-0.8 * (1 - s(0.8)))  # the two parts of the sample cancel: what is left is of data
    assert slope_of_theta(linear, K=1, w=0.0) == pytest.approx(expected, rel=1e-5)


def test_without_an_unrolled_update_it_is_the_saturating_game(linear):
    # d log(1 - D(theta)) / d theta = -s(w theta) w, and data have no part in it.
    assert slope_of_theta(linear, K=0, w=0.5) == pytest.approx(-0.5 * sigmoid(0.5), rel=1e-5)


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
