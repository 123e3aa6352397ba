"""The gradient penalty against closed forms and TF-GAN's."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.objectives.penalties import gradient_penalty, input_gradients, interpolated, sobolev_norm

X = tf.constant([[1.0, 2.0], [3.0, 4.0]])
X_GEN = tf.constant([[5.0, 6.0], [-1.0, 0.0]])
EPSILON = tf.constant([0.25, 1.0])


def half_square(x):
    """D(x) = ||x||^2 / 2, whose gradient is x."""
    return tf.reduce_sum(x**2, axis=-1) / 2


def test_points_between():
    # A quarter of the way from the sample to the data point: (5, 6) + (-4, -4) / 4; epsilon 1 is the data point.
    np.testing.assert_allclose(interpolated(X, X_GEN, EPSILON), [[4, 5], [3, 4]])
    images = tf.reshape(tf.range(8.0), [2, 2, 2, 1])
    np.testing.assert_allclose(interpolated(images, -images, EPSILON)[:, 1, 1, 0], [-1.5, 7])  # 3 (.25 - .75) and 7


@pytest.mark.parametrize("jit_compile", [False, True])
def test_closed_form(jit_compile):
    # D = s ||x||^2 / 2 has the gradient s x; at s = 1 its norms are sqrt(4^2 + 5^2) and 5, and the penalty's slope in s
    # is 2 (s n - 1) n.
    s = tf.Variable(1.0)

    @tf.function(jit_compile=jit_compile)
    def penalized():
        with tf.GradientTape() as tape:
            penalty = gradient_penalty(lambda x: s * half_square(x), X, X_GEN, EPSILON)
        return penalty, tape.gradient(penalty, s)

    penalty, slope = penalized()
    norms = np.sqrt([41, 25])
    np.testing.assert_allclose(penalty, (norms - 1) ** 2, rtol=1e-5)
    assert float(slope) == pytest.approx((2 * (norms - 1) * norms).sum(), rel=1e-5)


def test_a_gradient_of_zero_costs_one_and_has_a_finite_slope():
    s = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(lambda x: s * half_square(x), X, X_GEN, EPSILON)
    np.testing.assert_allclose(penalty, [1, 1], rtol=1e-5)
    assert float(tape.gradient(penalty, s)) == 0


def test_the_gradient_of_each_example_alone():
    np.testing.assert_allclose(input_gradients(half_square, X), X)


def test_against_tfgan():
    tfgan = pytest.importorskip("tensorflow_gan")
    # Where data and samples are the same, so are the points between, whichever epsilon TF-GAN draws. It takes its
    # gradients of a sum, too, and works in graphs alone.
    kernel = tf.constant([[0.3, -0.8, 0.5], [1.1, 0.2, -0.4]])

    def critic(x, _=None):
        return tf.reduce_sum(tf.tanh(x @ kernel), axis=-1)

    @tf.function
    def theirs():
        return tfgan.losses.wargs.wasserstein_gradient_penalty(
            X, X, None, critic, discriminator_scope="critic", epsilon=0.0, reduction=tf.compat.v1.losses.Reduction.NONE
        )

    np.testing.assert_allclose(gradient_penalty(critic, X, X, EPSILON), theirs(), rtol=1e-5)


IMAGES = np.random.default_rng(0).normal(size=(3, 4, 6, 2)).astype(np.float32)


def test_without_smoothness_the_sobolev_norm_is_the_lp_norm():
    for p in (1.5, 2.0, 10.0):
        expected = (np.abs(IMAGES.astype(float)) ** p).sum(axis=(1, 2, 3)) ** (1 / p)
        np.testing.assert_allclose(sobolev_norm(tf.constant(IMAGES), s=0.0, p=p), expected, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_sobolev_norm_of_one_frequency(jit_compile):
    # cos(2 pi w / 6) along a width of 6 has the frequency 1 of at most 3, and so the weight (1 + 5 / 9)^(s / 2).
    wave = np.cos(2 * np.pi * np.arange(6) / 6)[None, None, :, None] * np.ones([2, 4, 1, 1])
    norm = tf.function(lambda x: sobolev_norm(x, s=-1.5, p=2.0), jit_compile=jit_compile)
    expected = (14 / 9) ** -0.75 * np.sqrt((wave**2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(norm(tf.constant(wave, tf.float32)), expected, rtol=1e-5)


def test_the_dual_norm_bounds_the_inner_product():
    # Hoelder: |<x, y>| <= ||x||_{s,p} ||y||_{-s,q}.
    x, y = tf.constant(IMAGES), tf.constant(IMAGES[::-1] ** 2)
    inner = np.abs((x.numpy() * y.numpy()).sum(axis=(1, 2, 3)))
    assert (inner <= sobolev_norm(x, s=1.0, p=4.0) * sobolev_norm(y, s=-1.0, p=4 / 3)).numpy().all()


def test_vectors_have_the_l2_norm():
    np.testing.assert_allclose(sobolev_norm(tf.constant([[3.0, -4.0]]), s=1.0, p=10.0), [5])


@pytest.mark.parametrize("x", [np.zeros([1, 4, 4, 1]), 1e-8 * np.ones([1, 4, 4, 1])])
def test_norms_of_almost_nothing(x):
    # The l^10 norm would have underflowed: (1e-8)^10. It is 1e-8 * 16^(1/10), and its slope in each entry 16^(-9/10).
    x = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        norm = sobolev_norm(x, s=0.0, p=10.0)
    slope = tape.gradient(norm, x)
    np.testing.assert_allclose(norm, [tf.reduce_max(x) * 16**0.1], rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(slope, tf.cast(x > 0, tf.float32) * 16**-0.9, rtol=1e-4)
