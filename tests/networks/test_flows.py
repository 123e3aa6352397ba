"""RealNVP as a change of variables: against the Jacobian of its own map, on codes that it has not just made."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bms_tf.core.keras import keras
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import RealNVPEncoder

B, D, Z = 4, 2, 3
X = tf.constant(np.random.default_rng(0).normal(size=(B, D)), tf.float32)
NOISE = tf.constant(np.random.default_rng(1).normal(size=(B, Z)), tf.float32)


@pytest.fixture(scope="module")
def encoder():
    """Three layers on codes of three dimensions, of which a layer keeps one and moves two."""
    keras.utils.set_random_seed(0)
    couplings = [mlp(input_shape=(1,), output_shape=(4,), hidden=(8,)) for _ in range(3)]
    network = mlp(input_shape=(D,), output_shape=(2 * Z,), hidden=(8,))
    return RealNVPEncoder(network, couplings=couplings, code_size=Z, data_shape=(D,))


def test_the_density_is_the_bases_over_the_volume(encoder):
    # z = f(u), u = mean + stddev * noise: log q(z) = log N(noise; 0, I) - log |dz / dnoise|.
    with tf.GradientTape() as tape:
        tape.watch(NOISE)
        z = encoder.posterior(X).sample(NOISE)
    jacobian = tape.batch_jacobian(z, NOISE).numpy()
    assert np.all(np.any(np.abs(jacobian) > 1e-3, axis=(0, 2))), "every dimension of z moves"
    expected = stats.norm.logpdf(NOISE).sum(axis=-1) - np.linalg.slogdet(jacobian)[1]
    fresh = tf.constant(z.numpy())  # not the tensor whose inverse a bijector remembers
    np.testing.assert_allclose(encoder.posterior(X).log_prob(fresh), expected, rtol=1e-4)
    xla = tf.function(lambda z: encoder.posterior(X).log_prob(z), jit_compile=True)
    np.testing.assert_allclose(xla(fresh), expected, rtol=1e-4)


def test_draws_lie_along_leading_axes(encoder):
    q = encoder.posterior(X)
    z = q.sample(tf.stack([NOISE, 2 * NOISE]))
    np.testing.assert_allclose(z, [q.sample(NOISE), q.sample(2 * NOISE)], rtol=1e-5)
    np.testing.assert_allclose(q.log_prob(z), [q.log_prob(z[0]), q.log_prob(z[1])], rtol=1e-4)


def test_the_flows_weights_are_the_encoders(encoder):
    assert len(encoder.trainable_variables) == 4 + 3 * 4  # a hidden and an output layer in each of four networks
    with tf.GradientTape() as tape:
        q = encoder.posterior(X)
        loss = tf.reduce_mean(q.log_prob(q.sample(NOISE)) + tf.reduce_sum(q.sample(NOISE) ** 2, axis=-1))
    assert all(np.any(gradient) for gradient in tape.gradient(loss, encoder.trainable_variables))
