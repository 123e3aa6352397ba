"""The parts that networks play, as a gin file names them.

Each function passes the shapes of its role to its network factory. So a recipe states the shape of the data and the
size of the code once, and any network can play any role whose shapes it supports.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gin

from bms_tf.core.keras import keras
from bms_tf.networks.layers import Wrapper, wrap
from bms_tf.networks.packing import packed
from bms_tf.networks.posteriors import (
    DeterministicEncoder,
    Encoder,
    GaussianEncoder,
    NoiseFedEncoder,
    RealNVPEncoder,
    SphericalEncoder,
    UnitGaussianEncoder,
)

# A network factory takes `input_shape` and `output_shape`, both without the batch; () as output means logits [B]. One
# that can be a generator also takes `output_activation`.
Factory = Callable[..., keras.Model]


class Shapes(NamedTuple):
    """What all roles share: the shapes of one example and of one code, and the scale of the data."""

    data: tuple[int, ...]
    code: tuple[int, ...]
    scale: float


@gin.configurable
def shapes(*, data_shape: Sequence[int] = gin.REQUIRED, code_size: int = gin.REQUIRED, scale: float = 1.0) -> Shapes:
    """What all roles share.

    Args:
        data_shape: of one example.
        code_size: Z.
        scale: the scale of the data. Networks see data divided by it, and their output is multiplied by it. Losses and
            scores have the data's own units.

    Raises:
        ValueError: if there is no size, or if a size or the scale is not positive.
    """
    if code_size < 1 or not data_shape or any(size < 1 for size in data_shape):
        raise ValueError(
            f"data_shape is {tuple(data_shape)} and code_size {code_size}; data must have a dimension, and every size "
            "must be positive"
        )
    if not 0 < scale < math.inf:
        raise ValueError(f"shapes.scale is {scale}; it must be positive and finite")
    return Shapes(tuple(data_shape), (code_size,), scale)


def _seeing_data(network: keras.Model) -> keras.Model:
    """`network`, which is shown data [B, ...] over their scale."""
    data, _, scale = shapes()
    return network if scale == 1 else keras.Sequential([keras.Input(data), keras.layers.Rescaling(1 / scale), network])


def _giving_data(network: keras.Model) -> keras.Model:
    """`network`, whose output [B, ...] is data over their scale."""
    scale = shapes().scale
    inputs = keras.Input(network.input_shape[1:])
    return network if scale == 1 else keras.Sequential([inputs, network, keras.layers.Rescaling(scale)])


@gin.configurable
def generator(*, network: Factory, visible: Callable[[tuple[int, ...]], Any] | None = None) -> keras.Model:
    """G: codes [B, Z] to data [B, ...], or to the numbers of a visible distribution.

    Args:
        network: a factory of networks.
        visible: makes the visible distribution for the shape of the data. It becomes the generator's `visible`, and is
            of the data in their own units.
    """
    data, code, _ = shapes()
    if visible is None:
        return _giving_data(network(input_shape=code, output_shape=data))
    distribution = visible(data)
    model = network(input_shape=code, output_shape=distribution.output_shape, output_activation=None)
    model.visible = distribution
    return model


@gin.configurable
def discriminator(*, network: Factory, packing: int = 1) -> keras.Model:
    """D_I: data [B, ...] to logits [B].

    Args:
        network: a factory of networks.
        packing: how many examples each logit is of.
    """
    return _seeing_data(packed(network, packing, input_shape=shapes().data, output_shape=()))


@gin.configurable
def embedding_discriminator(*, network: Factory, size: int = gin.REQUIRED) -> keras.Model:
    """D of Mixture Density GAN: data [B, ...] to embeddings.

    Args:
        network: a factory of networks.
        size: of an embedding: they are [B, size].
    """
    return _seeing_data(network(input_shape=shapes().data, output_shape=(size,)))


@gin.configurable
def autoencoding_discriminator(*, encoder: Factory, decoder: Factory, code_size: int | None = None) -> keras.Model:
    """D of BEGAN: data [B, ...] to data [B, ...], by way of a code.

    Args:
        encoder: a factory of networks, from data to a code.
        decoder: the same, from a code to data.
        code_size: the size of that code. None takes the size of the generator's codes.

    Raises:
        ValueError: for a size that is not positive.
    """
    data, code, _ = shapes()
    if code_size is not None:
        if code_size < 1:
            raise ValueError(f"autoencoding_discriminator.code_size is {code_size}; it must be at least 1")
        code = (code_size,)
    halves = encoder(input_shape=data, output_shape=code), decoder(input_shape=code, output_shape=data)
    return _giving_data(_seeing_data(keras.Sequential([keras.Input(data), *halves])))


@gin.configurable
def code_discriminator(*, network: Factory) -> keras.Model:
    """D_L: codes [B, Z] to logits [B], high for codes from the prior."""
    return network(input_shape=shapes().code, output_shape=())


@gin.configurable
def joint_discriminator(*, network: Factory, trunk: Factory | None = None) -> keras.Model:
    """D(x, z): a list of data [B, ...] and codes [B, Z] to logits [B].

    Args:
        network: a factory of a network that reads both, flattened and joined.
        trunk: a factory of a network that data go through first. VEEGAN's for images (table 3) has the convolutions of
            DCGAN's discriminator there, and a hidden layer of 512 in `network`.
    """
    data, code, scale = shapes()
    x, z = keras.Input(data), keras.Input(code)
    seen = x if scale == 1 else keras.layers.Rescaling(1 / scale)(x)
    features = seen if trunk is None else trunk(input_shape=data)(seen)
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(features), z])
    return keras.Model([x, z], network(input_shape=joined.shape[1:], output_shape=())(joined))


@gin.configurable
def convolutional_joint_discriminator(
    *, trunk: Factory, code_trunk: Factory, filters: int = 512, wrapper: Wrapper = wrap
) -> keras.Model:
    """D(x, z) as `joint_discriminator`, by the head of Rosca et al. (2018), table 6: convolutions of 3 x 3 and 2 x 2.

    Args:
        trunk: a factory of a network that makes a map [4, 4, F] from the data.
        code_trunk: a factory of a network that makes 1000 features from the code. They join the map at each place
            (ours: without padding, the two convolutions then leave one place).
        filters: the filters of both convolutions; the paper has 512 and 1024.
        wrapper: wraps each layer with weights.
    """
    data, code, _ = shapes()
    x, z = keras.Input(data), keras.Input(code)
    place = keras.layers.Reshape((1, 1, 1000))(code_trunk(input_shape=code, output_shape=(1000,))(z))
    joined = keras.layers.Concatenate()([trunk(input_shape=data)(x), keras.layers.UpSampling2D(4)(place)])
    for kernel in (3, 2):
        joined = keras.layers.LeakyReLU(0.2)(wrapper(keras.layers.Conv2D(filters, kernel))(joined))
    logit = wrapper(keras.layers.Dense(1))(keras.layers.Flatten()(joined))
    return keras.Model([x, z], keras.layers.Reshape(())(logit))


def _encoder(kind: type[Encoder], network: Factory, *, numbers: int) -> Encoder:
    """An encoder whose network gives `numbers` numbers for each of a code's."""
    data, (size,), _ = shapes()
    model = _seeing_data(network(input_shape=data, output_shape=(numbers * size,)))
    return kind(model, code_size=size, data_shape=data)


@gin.configurable
def gaussian_encoder(*, network: Factory) -> GaussianEncoder:
    """q(z|x), a diagonal Gaussian."""
    return _encoder(GaussianEncoder, network, numbers=2)


@gin.configurable
def deterministic_encoder(*, network: Factory) -> DeterministicEncoder:
    """q(z|x), a point."""
    return _encoder(DeterministicEncoder, network, numbers=1)


@gin.configurable
def unit_gaussian_encoder(*, network: Factory) -> UnitGaussianEncoder:
    """q(z|x), a Gaussian of standard deviation 1."""
    return _encoder(UnitGaussianEncoder, network, numbers=1)


@gin.configurable
def spherical_encoder(*, network: Factory) -> SphericalEncoder:
    """q(z|x), a point on the unit sphere."""
    return _encoder(SphericalEncoder, network, numbers=1)


@gin.configurable
def real_nvp_encoder(*, network: Factory, coupling: Factory, layers: int = 4) -> RealNVPEncoder:
    """q(z|x), a diagonal Gaussian behind a RealNVP.

    Args:
        network: a factory of the network that gives the Gaussian.
        coupling: a factory of the networks that map half of a code to the other half.
        layers: how many such networks there are, in 1..100.

    Raises:
        ValueError: for a number of layers out of range.
    """
    data, (size,), _ = shapes()
    if not 1 <= layers <= 100:
        raise ValueError(f"real_nvp_encoder.layers is {layers}; it must lie in 1..100")
    kept = size // 2
    couplings = [coupling(input_shape=(kept,), output_shape=(2 * (size - kept),)) for _ in range(layers)]
    network = _seeing_data(network(input_shape=data, output_shape=(2 * size,)))
    return RealNVPEncoder(network, couplings=couplings, code_size=size, data_shape=data)


@gin.configurable
def noise_fed_encoder(*, network: Factory) -> NoiseFedEncoder:
    """q(z|x), given by a network that also reads noise; for networks of flat inputs."""
    data, (size,), scale = shapes()
    numbers = math.prod(data)
    model = network(input_shape=(numbers + size,), output_shape=(size,))
    if scale != 1:
        seen = keras.layers.Rescaling([1 / scale] * numbers + [1.0] * size)
        model = keras.Sequential([keras.Input((numbers + size,)), seen, model])
    return NoiseFedEncoder(model, code_size=size, data_shape=data)
