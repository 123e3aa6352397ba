"""Encoders: networks that give a posterior q(z|x). Codes are drawn from it by reparameterization."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tensorflow as tf

from bms_tf.core.keras import keras, track_sub_layers
from bms_tf.networks.flows import real_nvp

if TYPE_CHECKING:
    from tensorflow_probability.python.bijectors.bijector import Bijector


@dataclass(frozen=True)
class DiagonalGaussian:
    """q(z|x) = N(mean, diag(exp(log_stddev))^2); both [B, Z]."""

    mean: tf.Tensor
    log_stddev: tf.Tensor

    def sample(self, noise: tf.Tensor) -> tf.Tensor:
        """Codes [..., B, Z] from standard normal noise [..., B, Z]."""
        return self.mean + tf.exp(self.log_stddev) * noise

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """log q(z|x), [..., B], of codes [..., B, Z]."""
        standardized = (z - self.mean) * tf.exp(-self.log_stddev)
        return tf.reduce_sum(-0.5 * standardized**2 - self.log_stddev - 0.5 * math.log(2 * math.pi), axis=-1)


@dataclass(frozen=True)
class PointMass:
    """A deterministic encoder's q(z|x): all mass on `mean` [B, Z]. It has no density."""

    mean: tf.Tensor

    def sample(self, noise: tf.Tensor) -> tf.Tensor:
        """`mean`, repeated to the shape of `noise` [..., B, Z]."""
        return tf.broadcast_to(self.mean, tf.shape(noise))


@dataclass(frozen=True)
class Flow:
    """q(z|x) of z = f(u), where u ~ `base`, a diagonal Gaussian, and f is a bijector."""

    base: DiagonalGaussian
    bijector: "Bijector"

    def sample(self, noise: tf.Tensor) -> tf.Tensor:
        """Codes [..., B, Z] from standard normal noise [..., B, Z]."""
        return self.bijector.forward(self.base.sample(noise))

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """log q(z|x), [..., B], of codes [..., B, Z]."""
        volume = self.bijector.inverse_log_det_jacobian(z, event_ndims=1)
        return self.base.log_prob(self.bijector.inverse(z)) + volume


@dataclass(frozen=True)
class Implicit:
    """q(z|x) of a network that reads data and noise. It can be drawn from, but has no density."""

    network: keras.Model
    x: tf.Tensor
    training: bool

    def sample(self, noise: tf.Tensor) -> tf.Tensor:
        """Codes [..., B, Z] from standard normal noise [..., B, Z]; one pass of the network per draw."""
        draws = math.prod(noise.shape[:-2])
        x = tf.tile(tf.reshape(self.x, [self.x.shape[0] or tf.shape(self.x)[0], -1]), [draws, 1])
        z = self.network(tf.concat([x, tf.reshape(noise, [-1, noise.shape[-1]])], axis=-1), training=self.training)
        return tf.reshape(z, tf.shape(noise))


class Encoder(keras.Sequential):
    """A network whose output parameterizes q(z|x)."""

    def __init__(self, network: keras.Model, *, code_size: int, data_shape: tuple[int, ...]):
        """Wraps a network.

        Args:
            network: from data to the parameters of the posterior.
            code_size: Z.
            data_shape: the shape of one example.
        """
        super().__init__([keras.Input(network.input_shape[1:]), network], name="encoder")
        self.code_size = code_size
        self.data_shape = tuple(data_shape)

    def posterior(self, x: tf.Tensor, *, training: bool = True):
        """q(z|x): an object with `sample(noise)` and, where it has a density, `log_prob(z)`.

        Args:
            x: data [B, ...].
            training: whether the network runs as in training.
        """
        raise TypeError(f"{type(self).__name__} must define posterior()")


class GaussianEncoder(Encoder):
    """The network's output [B, 2 Z] is the mean and the log variance of a diagonal Gaussian (Kingma and Welling 2014,
    appendix C)."""

    def posterior(self, x: tf.Tensor, *, training: bool = True) -> DiagonalGaussian:
        mean, log_variance = tf.split(self(x, training=training), 2, axis=-1)
        return DiagonalGaussian(mean, 0.5 * log_variance)


class DeterministicEncoder(Encoder):
    """The network's output [B, Z] is the code."""

    def posterior(self, x: tf.Tensor, *, training: bool = True) -> PointMass:
        return PointMass(self(x, training=training))


class UnitGaussianEncoder(Encoder):
    """The network's output [B, Z] is the mean of a Gaussian of standard deviation 1."""

    def posterior(self, x: tf.Tensor, *, training: bool = True) -> DiagonalGaussian:
        mean = self(x, training=training)
        return DiagonalGaussian(mean, tf.zeros_like(mean))


class SphericalEncoder(Encoder):
    """The network's output [B, Z], scaled to length 1, is the code."""

    def posterior(self, x: tf.Tensor, *, training: bool = True) -> PointMass:
        return PointMass(tf.math.l2_normalize(self(x, training=training), axis=-1))


class RealNVPEncoder(GaussianEncoder):
    """A diagonal Gaussian, given by the network's output [B, 2 Z], goes through a flow that is the same for every x."""

    def __init__(
        self, network: keras.Model, *, couplings: Sequence[keras.Model], code_size: int, data_shape: tuple[int, ...]
    ):
        """Wraps a network and the networks of a flow.

        Args:
            network: from data to [B, 2 Z].
            couplings: the networks of the flow's layers, see `flows.real_nvp`.
            code_size: Z.
            data_shape: the shape of one example.
        """
        super().__init__(network, code_size=code_size, data_shape=data_shape)
        track_sub_layers(self)
        self.couplings = list(couplings)
        self.flow = real_nvp(self.couplings, code_size)

    def posterior(self, x: tf.Tensor, *, training: bool = True) -> Flow:
        return Flow(super().posterior(x, training=training), self.flow)


class NoiseFedEncoder(Encoder):
    """The network maps the flattened data and Z standard normal numbers [B, D + Z] to a code [B, Z]."""

    def posterior(self, x: tf.Tensor, *, training: bool = True) -> Implicit:
        return Implicit(self, x, training)
