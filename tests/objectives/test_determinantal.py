"""GDPP's diversity against NumPy's spectrum, and its gradient against differences."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.objectives.determinantal import _eigh, diversity

RANDOM = np.random.default_rng(0)
REAL, SAMPLE = RANDOM.normal(size=(4, 6)), RANDOM.normal(size=(4, 6))
# Fewer features than examples: two eigenvalues of each kernel are 0.
PAIRS = {"more features": (REAL, SAMPLE), "fewer features": (RANDOM.normal(size=(6, 4)), RANDOM.normal(size=(6, 4)))}
pairs = pytest.mark.parametrize(("real", "sample"), PAIRS.values(), ids=PAIRS)


def spectrum(features):
    phi = features / np.linalg.norm(features, axis=1, keepdims=True)
    return np.linalg.eigh(phi @ phi.T)


def expected(real, sample):
    (l_real, v_real), (l_sample, v_sample) = spectrum(real), spectrum(sample)
    weights = (l_real - l_real.min()) / (l_real.max() - l_real.min())
    cosines = [abs(v_real[:, i] @ v_sample[:, i]) for i in range(len(real))]
    return ((l_real - l_sample) ** 2).mean(), -weights @ cosines


@pairs
@pytest.mark.parametrize("jit_compile", [False, True])
def test_losses(jit_compile, real, sample):
    losses = tf.function(diversity, jit_compile=jit_compile)(
        tf.constant(real, tf.float32), tf.constant(sample, tf.float32)
    )
    np.testing.assert_allclose(losses, expected(real, sample), rtol=1e-4)


def test_equal_features_have_no_magnitude_loss_and_the_least_structure_loss():
    x = tf.constant(REAL, tf.float32)
    magnitude, structure = diversity(x, 3 * x)  # their length does not count
    values, _ = spectrum(REAL)
    assert float(magnitude) == pytest.approx(0, abs=1e-10)
    assert float(structure) == pytest.approx(-((values - values.min()) / (values.max() - values.min())).sum(), rel=1e-4)


@pairs
@pytest.mark.parametrize("which", [0, 1])
def test_gradient(which, real, sample):
    x = tf.Variable(sample, dtype=tf.float64)
    with tf.GradientTape() as tape:
        loss = diversity(tf.constant(real), x)[which]
    slope = tape.gradient(loss, x).numpy()
    for index in [(0, 0), (1, 3), (3, 2)]:
        step = np.zeros_like(sample)
        step[index] = 1e-6
        difference = expected(real, sample + step)[which] - expected(real, sample - step)[which]
        assert slope[index] == pytest.approx(difference / 2e-6, rel=1e-4)


@pairs
def test_samples_that_are_all_alike_have_a_finite_gradient(real, sample):
    # Their kernel is full of ones, and all of its eigenvalues but one are 0.
    x = tf.ones(real.shape) * tf.range(1.0, len(real) + 1)[:, None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.add_n(diversity(tf.constant(real, tf.float32), x))
    assert np.abs(tape.gradient(loss, x)).max() < 100


def test_the_gradient_is_tensorflows_where_eigenvalues_are_apart():
    kernel = tf.constant(REAL @ REAL.T)
    weights = RANDOM.normal(size=(4, 4))

    def slope(eigh):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            values, vectors = eigh(kernel)
            loss = tf.reduce_sum(values**2) + tf.reduce_sum(weights * vectors)
        gradient = tape.gradient(loss, kernel)
        return gradient + tf.transpose(gradient)  # TensorFlow's is that of the lower half

    np.testing.assert_allclose(slope(_eigh), slope(tf.linalg.eigh), rtol=1e-4, atol=1e-6)
