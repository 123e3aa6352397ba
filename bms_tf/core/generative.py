"""What every trained system is: networks, and what one can ask of them."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Protocol, runtime_checkable

import tensorflow as tf

from bms_tf.core import functional
from bms_tf.core.keras import Model, keras, rename, require_same_keras
from bms_tf.core.precision import returning_float32
from bms_tf.core.random import normal_rows

NOT_TRAINED = {"trainable": False, "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}  # of a tf.Variable


class Visible(Protocol):
    """p(x|z) as a function of the generator's output."""

    data_shape: tuple[int, ...]  # of one example

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor: ...

    def mean(self, output: tf.Tensor) -> tf.Tensor: ...


@runtime_checkable
class Drawable(Protocol):
    """A p(x|z) that can be drawn from, with standard normal noise of the shape of the data."""

    def sample(self, output: tf.Tensor, noise: tf.Tensor) -> tf.Tensor: ...


class GenerativeModel(Model):
    """A Keras model of a generator and the networks around it, which samples, encodes and judges."""

    def __init__(self, *, networks: Mapping[str, keras.Model], ema: float | None, visible: Visible | None):
        """Names the networks and takes them over.

        Args:
            networks: built networks by the name of the attribute that each becomes; one is the "generator".
            ema: decay of the moving average of the generator's weights, in (0, 1), which `generate` then uses. None
                uses the weights themselves.
            visible: p(x|z) of a system that has a likelihood. None means that the generator's output is the data.

        Raises:
            ValueError: if the decay is out of range, if there is no generator, if a network cannot play the role that
                its name says, or if the generator has a visible distribution in a system without a likelihood.
        """
        super().__init__()
        if ema is not None and not 0 < ema < 1:
            raise ValueError(f"ema is {ema}; it must lie in (0, 1), or be None for no moving average")
        if "generator" not in networks:
            raise ValueError(f"{type(self).__name__} has the networks {sorted(networks)}; one must be the 'generator'")
        if visible is None and hasattr(networks["generator"], "visible"):
            raise ValueError(f"{type(self).__name__} has no likelihood: its generator can have no visible distribution")
        if visible is None and networks["generator"].output_shape[1:] == ():
            raise ValueError("the generator gives one number for each code; it must give data (is it a discriminator?)")
        if "encoder" in networks and not hasattr(networks["encoder"], "posterior"):
            raise ValueError(f"the encoder is a {type(networks['encoder']).__name__}, which has no posterior(x)")
        for name, network in networks.items():
            require_same_keras(network, name)
            rename(network, name)
            setattr(self, name, network if network.compute_dtype == "float32" else returning_float32(network))
        self.networks = dict(networks)
        self.ema = ema
        self.visible = visible
        self.averages = [
            tf.Variable(weight, name=f"average_{i}", **NOT_TRAINED)
            for i, weight in enumerate(self.generator.trainable_variables if ema else ())
        ]

    @cached_property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.generator.output_shape[1:]) if self.visible is None else self.visible.data_shape

    @cached_property
    def code_size(self) -> int:
        return self.generator.input_shape[-1]

    @property
    def offers(self) -> tuple[str, ...]:
        """The names of the methods below that this system's networks allow."""
        names = ("generate", "sample_prior", "sample")
        if isinstance(self.visible, Drawable):
            names += ("draw",)
        if "encoder" in self.networks:
            names += ("posterior", "encode", "reconstruct")
        if "discriminator" in self.networks and not functional.couples_examples(self.discriminator):
            names += ("discriminate", "features")
        return names

    def generate(self, z: tf.Tensor) -> tf.Tensor:
        """Data [B, ...] from codes [B, Z]: the mean of p(x|z), with the averaged weights if there is an EMA."""
        return self._mean(self._generator_output(z))

    def draw(self, z: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        """A draw of p(x|z), [B, ...], for each code.

        Args:
            z: codes [B, Z].
            seeds: int64 [B].
        """
        assert isinstance(self.visible, Drawable), "else it is not among `offers`"
        # A stream of its own, as the codes may have been drawn with the same seeds.
        noise = normal_rows(seeds, math.prod(self.data_shape), stream=1)
        return self.visible.sample(self._generator_output(z), tf.reshape(noise, [-1, *self.data_shape]))

    def _generator_output(self, z: tf.Tensor) -> tf.Tensor:
        average = dict(zip(map(id, self.generator.trainable_variables), self.averages))
        with functional.substituted(self.generator, average):
            return self.generator(z, training=False)

    def _mean(self, output: tf.Tensor) -> tf.Tensor:
        return output if self.visible is None else self.visible.mean(output)

    def _log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        assert self.visible is not None, "only a system that has a likelihood asks"
        return self.visible.log_prob(x, output)

    def sample_prior(self, seeds: tf.Tensor) -> tf.Tensor:
        """Codes [B, Z] from the prior, one for each of `seeds` (int64 [B])."""
        return normal_rows(seeds, self.code_size)

    def sample(self, seeds: tf.Tensor) -> tf.Tensor:
        """Data [B, ...], one for each of `seeds` (int64 [B])."""
        return self.generate(self.sample_prior(seeds))

    def posterior(self, x: tf.Tensor):
        """q(z|x) of data [B, ...]."""
        return self.encoder.posterior(x, training=False)

    def encode(self, x: tf.Tensor) -> tf.Tensor:
        """The code [B, Z] of data [B, ...] at zero noise: the posterior's mean, if it is Gaussian."""
        return self.posterior(x).sample(tf.zeros([tf.shape(x)[0], self.code_size]))

    def reconstruct(self, x: tf.Tensor) -> tf.Tensor:
        """x_hat = G(encode(x)), of the shape of x."""
        return self.generate(self.encode(x))

    def discriminate(self, x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """The discriminator's logits [B], high for real data.

        Args:
            x: data [B, ...].
            training: whether the discriminator runs as in training.
        """
        return self.discriminator(x, training=training)

    def discriminate_with_features(self, x: tf.Tensor, *, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """The logits [B] and the discriminator's features [B, F]: what its last layer with weights is given.

        Args:
            x: data [B, ...].
            training: whether the discriminator runs as in training.
        """
        return functional.with_features(self.discriminator, x, training=training)

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """The discriminator's features [B, F] of data [B, ...]."""
        return self.discriminate_with_features(x)[1]
