"""The discriminators' losses against hand numbers and tensorflow-gan's."""

import math

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.objectives.adversarial import CrossEntropy, Hinge

LOGITS = tf.constant([-2.0, 0.0, 0.5, 3.0])


@pytest.mark.parametrize(
    ("loss", "real", "fake"),
    [
        # max(0, 1 - l) and max(0, 1 + l).
        (Hinge(), [3, 1, 0.5, 0], [0, 1, 1.5, 4]),
        # max(0, 2 - l) and max(0, 0.5 + l).
        (Hinge(a=2.0, b=0.5), [4, 2, 1.5, 0], [0, 0.5, 1, 3.5]),
    ],
)
def test_hinge(loss, real, fake):
    np.testing.assert_allclose(loss.real(LOGITS), real)
    np.testing.assert_allclose(loss.fake(LOGITS), fake)


def test_cross_entropy():
    # A logit of log 3 is a probability of 3/4 of being real; of 0, 1/2. Far logits neither overflow nor lose digits.
    logits = tf.constant([math.log(3.0), 0.0, 200.0, -200.0])
    np.testing.assert_allclose(CrossEntropy().real(logits), [math.log(4 / 3), math.log(2), 0, 200], rtol=1e-6)
    np.testing.assert_allclose(CrossEntropy().fake(logits), [math.log(4), math.log(2), 200, 0], rtol=1e-6)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (1.0, -1.0)])
def test_margins_must_be_positive(a, b):
    with pytest.raises(ValueError, match=f"a = {a} and b = {b}"):
        Hinge(a=a, b=b)


@pytest.mark.parametrize(
    ("loss", "name", "options"),
    [
        (Hinge(), "wasserstein_hinge_discriminator_loss", {}),
        (Hinge(a=2.0, b=0.5), "wasserstein_hinge_discriminator_loss", {"real_hinge": 2.0, "generated_hinge": 0.5}),
        (CrossEntropy(), "modified_discriminator_loss", {"label_smoothing": 0.0}),
    ],
)
def test_against_tensorflow_gan(loss, name, options):
    # Theirs is the mean over the real logits plus that over the generated ones.
    tfgan = pytest.importorskip("tensorflow_gan")
    real, fake = tf.constant(np.random.default_rng(0).normal(size=(2, 50)), tf.float32)
    ours = tf.reduce_mean(loss.real(real)) + tf.reduce_mean(loss.fake(fake))
    theirs = getattr(tfgan.losses.wargs, name)(real, fake, add_summaries=False, **options)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-6)
