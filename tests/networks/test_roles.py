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
        (
            lambda network: roles.autoencoding_discriminator(encoder=network, decoder=network, code_size=1),
            (4, 3, 2),
            (4, 3, 2),
        ),
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


@pytest.mark.parametrize(("code_size", "width"), [(None, 5), (1, 1)])
def test_the_code_of_an_autoencoding_discriminator(code_size, width):
    network = roles.autoencoding_discriminator(encoder=mlp, decoder=mlp, code_size=code_size)
    assert network.layers[0].output_shape == (None, width)


def test_a_code_has_a_dimension():
    with pytest.raises(ValueError, match="autoencoding_discriminator.code_size is 0; it must be at least 1"):
        roles.autoencoding_discriminator(encoder=mlp, decoder=mlp, code_size=0)


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


def ones(network):
    """A linear network, all of whose weights are 1."""
    for v in network.trainable_variables:
        v.assign(tf.ones_like(v) if v.shape.rank > 1 else tf.zeros_like(v))
    return network


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_networks_see_data_over_their_scale_and_give_it_back(scale):
    gin.parse_config(["shapes.data_shape = (2,)", "shapes.code_size = 3", f"shapes.scale = {scale}"])
    linear = partial(mlp, hidden=())
    x, z = tf.constant([[8.0, 4.0]]), tf.constant([[1.0, 2.0, 3.0]])
    # Sums of what is seen: 12 / scale of x, 6 of z; what is given is 6 scale in both places.
    assert ones(roles.generator(network=linear))(z).numpy().tolist() == [[6 * scale] * 2]
    assert ones(roles.discriminator(network=linear))(x).numpy().tolist() == [12 / scale]
    assert ones(roles.embedding_discriminator(network=linear, size=1))(x).numpy().tolist() == [[12 / scale]]
    assert ones(roles.joint_discriminator(network=linear))([x, z]).numpy().tolist() == [12 / scale + 6]
    # To a code of three, each 12 / scale, and back: their sum times the scale.
    autoencoder = ones(roles.autoencoding_discriminator(encoder=linear, decoder=linear))
    assert autoencoder(x).numpy().tolist() == [[36.0] * 2]
    for role in (roles.deterministic_encoder, roles.unit_gaussian_encoder, roles.gaussian_encoder):
        assert ones(role(network=linear)).posterior(x).mean.numpy().tolist() == [[12 / scale] * 3]
    flow = roles.real_nvp_encoder(network=linear, coupling=linear)
    assert ones(flow).posterior(x).base.mean.numpy().tolist() == [[12 / scale] * 3]
    # The noise that is fed beside the data is not scaled.
    assert ones(roles.noise_fed_encoder(network=linear)).posterior(x).sample(z).numpy().tolist() == [
        [12 / scale + 6] * 3
    ]


def test_a_packed_discriminator_sees_data_over_their_scale():
    gin.parse_config(["shapes.data_shape = (2,)", "shapes.code_size = 3", "shapes.scale = 4.0"])
    network = ones(roles.discriminator(network=partial(mlp, hidden=()), packing=2))
    # Packs of the points and the next ones: (8 + 4 + 0 + 4) / 4 both ways round.
    assert network(tf.constant([[8.0, 4.0], [0.0, 4.0]])).numpy().tolist() == [4.0, 4.0]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf")])
def test_a_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match=f"shapes.scale is {scale}; it must be positive and finite"):
        roles.shapes(data_shape=(2,), code_size=3, scale=scale)
