"""Tiny networks of which the tests of the systems are made, and what they compute, in plain NumPy."""

from functools import partial

import gin
import numpy as np

from bms_tf.core.keras import keras
from bms_tf.networks.layers import wrap
from bms_tf.networks.mlp import mlp

B, D, Z = 5, 3, 2
X = np.random.default_rng(1).normal(size=(B, D)).astype(np.float32)


def networks(wrapper=wrap, normalization=None, **roles):
    """`role` by the name of its network: each with one hidden layer of 4. `wrapper`: of the discriminator's layers."""
    keras.utils.set_random_seed(3)
    gin.parse_config([f"shapes.data_shape = ({D},)", f"shapes.code_size = {Z}"])
    network = partial(mlp, hidden=(4,), activation="tanh", gain=2.0, normalization=normalization)
    wrappers = {"discriminator": wrapper}
    return {n: role(network=partial(network, wrapper=wrappers.get(n, wrap))) for n, role in roles.items()}


def hidden(weights, inputs):
    first, b, _, _ = weights
    return np.tanh(2.0 * inputs @ first + b)


def forward(weights, inputs):
    *_, second, c = weights
    return hidden(weights, inputs) @ second + c


def logit(weights, *inputs):
    """[..., B]; of several inputs side by side."""
    return forward(weights, np.concatenate(inputs, axis=-1))[..., 0]


def probability(weights, *inputs):
    return 1 / (1 + np.exp(-logit(weights, *inputs)))


def gaussian(weights, x):
    """Mean and standard deviation of q(z|x)."""
    mean, log_variance = np.split(forward(weights, x), 2, axis=-1)
    return mean, np.sqrt(np.exp(log_variance))


# A Bernoulli visible distribution with the logit y: its mean in [-1, 1], 2 sigmoid(y) - 1 = tanh(y / 2), and what the
# probability (1 + x_hat) / 2 of a mean x_hat then says of X.


def mean_of_bits(weights, z):
    return np.tanh(forward(weights, z) / 2)


def log_p_of_bits(x_hat):
    return ((1 + X) / 2 * np.log((1 + x_hat) / 2) + (1 - X) / 2 * np.log((1 - x_hat) / 2)).sum(axis=-1)
