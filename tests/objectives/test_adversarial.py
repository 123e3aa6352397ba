"""The discriminators' losses against hand numbers and tensorflow-gan's."""

import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.objectives.adversarial import CrossEntropy, Hinge, NonSaturating, RelativisticPairing

# Logits of log 3, 0 and -log 3 are probabilities of 3/4, 1/2 and 1/4. Far ones neither overflow nor lose digits.
L3 = math.log(3)
REAL = [L3, 0.0, -2.0, 200.0]
FAKE = [0.0, -L3, 0.5, -200.0]


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        # max(0, 1 - r) + max(0, 1 + f), against -f.
        (Hinge(), [1, 1, 3 + 1.5, 0], [0, L3, -0.5, 200]),
        # max(0, 2 - r) + max(0, 0.5 + f).
        (Hinge(a=2.0, b=0.5), [2 - L3 + 0.5, 2, 4 + 1, 0], [0, L3, -0.5, 200]),
        # log(1 + e^-r) + log(1 + e^f): log 4/3 + log 2, log 2 + log 4/3, ...
        (
            CrossEntropy(),
            [math.log(8 / 3), math.log(8 / 3), math.log1p(math.exp(2)) + math.log1p(math.exp(0.5)), 0],
            [0, L3, -0.5, 200],
        ),
        # The same, against log(1 + e^-f): log 2, log 4, ...
        (
            NonSaturating(),
            [math.log(8 / 3), math.log(8 / 3), math.log1p(math.exp(2)) + math.log1p(math.exp(0.5)), 0],
            [math.log(2), math.log(4), math.log1p(math.exp(-0.5)), 200],
        ),
        # log(1 + e^(f - r)), against log(1 + e^(r - f)): with r - f = log 3 they are log 4/3 and log 4.
        (
            RelativisticPairing(),
            [math.log(4 / 3), math.log(4 / 3), math.log1p(math.exp(2.5)), 0],
            [math.log(4), math.log(4), math.log1p(math.exp(-2.5)), 400],
        ),
    ],
)
def test_pairs(loss, discriminator, generator):
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    np.testing.assert_allclose(loss.discriminator(real, fake), discriminator, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(loss.generator(real, fake), generator, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", [Hinge(), CrossEntropy(), NonSaturating(), RelativisticPairing()])
def test_several_fakes_are_paired_with_each_real_one(loss):
    real, fakes = tf.constant([0.3, -1.0]), tf.constant([[0.1, 0.7], [-0.4, 2.0], [1.0, 0.0]])
    for side in (loss.discriminator, loss.generator):
        rows = [side(real, fake) for fake in fakes]
        np.testing.assert_allclose(tf.broadcast_to(side(real, fakes), [3, 2]), rows, rtol=1e-6)


def test_only_differences_of_logits_count_for_relativistic_pairing():
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    loss = RelativisticPairing()
    np.testing.assert_allclose(loss.discriminator(real + 3, fake + 3), loss.discriminator(real, fake), rtol=1e-5)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_margins_must_be_positive(a, b):
    with pytest.raises(ValueError, match=f"a = {a} and b = {b}"):
        Hinge(a=a, b=b)


@pytest.mark.parametrize(
    ("loss", "side", "name", "options"),
    [
        (Hinge(), "discriminator", "wasserstein_hinge_discriminator_loss", {}),
        (
            Hinge(a=2.0, b=0.5),
            "discriminator",
            "wasserstein_hinge_discriminator_loss",
            {"real_hinge": 2.0, "generated_hinge": 0.5},
        ),
        (CrossEntropy(), "discriminator", "modified_discriminator_loss", {"label_smoothing": 0.0}),
        (NonSaturating(), "discriminator", "modified_discriminator_loss", {"label_smoothing": 0.0}),
        (NonSaturating(), "generator", "modified_generator_loss", {}),
        (Hinge(), "generator", "wasserstein_generator_loss", {}),
    ],
)
def test_against_tensorflow_gan(loss, side, name, options):
    # Theirs is the mean over the real logits plus that over the generated ones.
    tfgan = pytest.importorskip("tensorflow_gan")
    real, fake = tf.constant(np.random.default_rng(0).normal(size=(2, 50)), tf.float32)
    ours = tf.reduce_mean(getattr(loss, side)(real, fake))
    given = (real, fake) if side == "discriminator" else (fake,)
    theirs = getattr(tfgan.losses.wargs, name)(*given, add_summaries=False, **options)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-6)
