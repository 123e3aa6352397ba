"""Every role hands its network factory the shapes of its part in the game."""

from functools import partial

import gin
import pytest
import tensorflow as tf

from bms_tf.networks import roles
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import (
    DeterministicEncoder,
    GaussianEncoder,
    NoiseFedEncoder,
    RealNVPEncoder,
    SphericalEncoder,
    UnitGaussianEncoder,
)


@pytest.fixture(autouse=True)
def shapes():
    gin.parse_config(["shapes.data_shape = (4, 3, 2)", "shapes.code_size = 5"])


@pytest.mark.parametrize(
    ("role", "inputs", "outputs"),
    [
        (roles.generator, (5,), (4, 3, 2)),
        (roles.discriminator, (4, 3, 2), ()),
        (partial(roles.discriminator, packing=2), (4, 3, 2), ()),
        (partial(roles.embedding_discriminator, size=7), (4, 3, 2), (7,)),
        (lambda network: roles.autoencoding_discriminator(encoder=network, decoder=network), (4, 3, 2), (4, 3, 2)),
        (roles.code_discriminator, (5,), ()),
        (roles.gaussian_encoder, (4, 3, 2), (10,)),  # a mean and a log deviation for each of 5
        (roles.deterministic_encoder, (4, 3, 2), (5,)),
        (roles.unit_gaussian_encoder, (4, 3, 2), (5,)),
        (roles.spherical_encoder, (4, 3, 2), (5,)),
        (partial(roles.real_nvp_encoder, coupling=mlp), (4, 3, 2), (10,)),
        (roles.noise_fed_encoder, (29,), (5,)),  # 4 * 3 * 2 numbers of data and 5 of noise
    ],
)
def test_shapes_of_the_roles(role, inputs, outputs):
    network = role(network=mlp)
    assert network.input_shape[1:] == inputs
    assert network.output_shape[1:] == outputs


def test_the_joint_discriminator_sees_data_and_code():
    # A linear network of 4 * 3 * 2 + 5 numbers, all weights 1: the logit is the sum of both inputs.
    network = roles.joint_discriminator(network=lambda **shapes: mlp(hidden=(), **shapes))
    kernel, _ = network.trainable_variables
    assert kernel.shape == (29, 1)
    kernel.assign(tf.ones_like(kernel))
    logits = network([tf.ones([6, 4, 3, 2]), -2.0 * tf.ones([6, 5])])
    assert logits.numpy().tolist() == [24.0 - 10.0] * 6


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        (roles.gaussian_encoder, GaussianEncoder),
        (roles.deterministic_encoder, DeterministicEncoder),
        (roles.unit_gaussian_encoder, UnitGaussianEncoder),
        (roles.spherical_encoder, SphericalEncoder),
        (partial(roles.real_nvp_encoder, coupling=mlp), RealNVPEncoder),
        (roles.noise_fed_encoder, NoiseFedEncoder),
    ],
)
def test_encoders(role, kind):
    encoder = role(network=mlp)
    assert type(encoder) is kind
    assert (encoder.code_size, encoder.data_shape, encoder.name) == (5, (4, 3, 2), "encoder")
    assert encoder.posterior(tf.zeros([6, 4, 3, 2])).sample(tf.zeros([7, 6, 5])).shape == (7, 6, 5)


@pytest.mark.parametrize(("data_shape", "code_size"), [((2,), 0), ((0,), 3), ((8, -8, 1), 3)])
def test_sizes_must_be_positive(data_shape, code_size):
    with pytest.raises(ValueError, match="every size must be positive"):
        roles.shapes(data_shape=data_shape, code_size=code_size)


def test_a_generator_with_a_visible_distribution_is_sized_by_it():
    class Pairs:
        def __init__(self, data_shape):
            self.output_shape = (*data_shape[:-1], 2 * data_shape[-1])

    network = roles.generator(network=partial(mlp, output_activation="tanh"), visible=Pairs)
    assert network.output_shape[1:] == (4, 3, 4)
    assert isinstance(network.visible, Pairs)
    assert network.layers[-2].activation(3.0) == 3  # linear, whatever the recipe says of the output


def test_real_nvp_needs_a_layer_and_two_dimensions():
    with pytest.raises(ValueError, match="layers is 0; it must lie in 1..100"):
        roles.real_nvp_encoder(network=mlp, coupling=mlp, layers=0)
    gin.bind_parameter("shapes.code_size", 1)
    with pytest.raises(ValueError, match="codes of at least 2 dimensions; the code size is 1"):
        roles.real_nvp_encoder(network=mlp, coupling=mlp)
