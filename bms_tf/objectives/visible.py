"""Visible distributions p(x|z) (Rosca et al. 2018, section 3.2): what a generator's output says of data in [-1, 1].

Each is made for the shape of one example. For each value of the data it reads `numbers` numbers of the generator's
output. The output is linear and has the shape [..., *data_shape[:-1], data_shape[-1] * numbers], with the numbers of
one value side by side.

| distribution | its numbers | how [-1, 1] maps to its support |
| --- | --- | --- |
| Bernoulli | logit l | (x + 1) / 2 in [0, 1]; data between 0 and 1 are a mean of bits, as usual |
| Gaussian, Laplace | location m, log s | the real line holds [-1, 1] as it is |
| QuantizedNormal | location m, log s | level k = round(127.5 (x + 1)) of 256: the normal's mass within 1/255 of its x |
| Categorical | 256 logits | level k, as above |

`log_prob(x, output)` is [..., B] for x [B, *data_shape], summed over the example; `mean(output)`, [..., *data_shape],
is the distribution's mean, back in [-1, 1] (for QuantizedNormal, before it is cut into levels). `sample(output, noise)`
is a draw, from standard normal noise of the shape of the data. Locations of images go through tanh. Those of vectors
are free, as vectors may lie outside [-1, 1].
"""

import abc
import math
from collections.abc import Sequence

import tensorflow as tf

from bms_tf.objectives.likelihoods import log_laplace

LEVELS = 256


def of(generator) -> "Visible":
    """The visible distribution of a generator, its attribute `visible`; `L1` if it has none."""
    return getattr(generator, "visible", None) or L1(generator.output_shape[1:])


class Visible(abc.ABC):
    """What all of them share: the `data_shape` of one example, and the `output_shape` of the generator."""

    def __init__(self, data_shape: Sequence[int], *, numbers: int = 1):
        """Takes the shape of the data.

        Args:
            data_shape: of one example.
            numbers: how many numbers of the generator's output there are for each value of the data.

        Raises:
            ValueError: if data have no dimension, as the output of a discriminator's network would.
        """
        if not len(data_shape):
            raise ValueError("the generator gives one number for each code; it must give data (is it a discriminator?)")
        self.data_shape = tuple(data_shape)
        self.numbers = numbers
        self.output_shape = (*self.data_shape[:-1], self.data_shape[-1] * numbers)

    @abc.abstractmethod
    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        """log p(x|z), see above."""

    @abc.abstractmethod
    def mean(self, output: tf.Tensor) -> tf.Tensor:
        """The mean of p(x|z), see above."""

    def _split(self, output: tf.Tensor) -> tf.Tensor:
        """[..., *data_shape, numbers]"""
        batch = tf.shape(output)[: -len(self.data_shape)]
        return tf.reshape(output, tf.concat([batch, [*self.data_shape, self.numbers]], axis=0))

    def _summed(self, log_probs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(log_probs, axis=list(range(-len(self.data_shape), 0)))


class L1(Visible):
    """log p(x|z) = -||x - G(z)||_1, up to a constant (see `likelihoods.log_laplace`): the output is the data itself.

    It is not normalized: systems weigh it, and nothing can be drawn from it.
    """

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        return log_laplace(x, output, 1.0)

    def mean(self, output: tf.Tensor) -> tf.Tensor:
        return output


class Bernoulli(Visible):
    """y l - log(1 + e^l) for y = (x + 1) / 2 and the logit l (Rosca et al. 2018, appendix G)."""

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        return self._summed((x + 1) / 2 * output - tf.nn.softplus(output))

    def mean(self, output: tf.Tensor) -> tf.Tensor:
        return 2 * tf.sigmoid(output) - 1

    def sample(self, output: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        return tf.where(_uniform(noise) < tf.sigmoid(output), 1.0, -1.0)


class _LocationScale(Visible):
    """Of a location m and a scale s, both in units of x."""

    def __init__(self, data_shape: Sequence[int], scale: float | None = None):
        """Takes the shape of the data.

        Args:
            data_shape: of one example.
            scale: a fixed s; None: the generator gives log s as well.

        Raises:
            ValueError: for a scale that is not positive, and for data without a dimension.
        """
        if scale is not None and scale <= 0:
            raise ValueError(f"{type(self).__name__}.scale is {scale}; it must be positive, or None")
        super().__init__(data_shape, numbers=1 if scale else 2)
        self.scale = scale

    def _location_and_log_scale(self, output: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        location, *rest = tf.unstack(self._split(output), axis=-1)
        log_scale = rest[0] if self.scale is None else tf.fill(tf.shape(location), math.log(self.scale))
        return tf.tanh(location) if len(self.data_shape) == 3 else location, log_scale

    def mean(self, output: tf.Tensor) -> tf.Tensor:
        return self._location_and_log_scale(output)[0]


class Gaussian(_LocationScale):
    """log N(x; m, s^2)."""

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        m, log_s = self._location_and_log_scale(output)
        return self._summed(-0.5 * ((x - m) * tf.exp(-log_s)) ** 2 - log_s - 0.5 * math.log(2 * math.pi))

    def sample(self, output: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        m, log_s = self._location_and_log_scale(output)
        return m + tf.exp(log_s) * noise


class Laplace(_LocationScale):
    """-|x - m| / s - log 2s."""

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        m, log_s = self._location_and_log_scale(output)
        return self._summed(-tf.abs(x - m) * tf.exp(-log_s) - log_s - math.log(2))

    def sample(self, output: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        m, log_s = self._location_and_log_scale(output)
        distance = -tf.math.log(tf.math.erfc(tf.abs(noise) / math.sqrt(2)))  # exponential, as P(|noise| > n) = erfc
        return m + tf.exp(log_s) * tf.sign(noise) * distance


class QuantizedNormal(_LocationScale):
    """log of the normal's mass between the midpoints of levels. The outer ones reach to infinity: 256 levels sum to 1.

    Rosca et al. (2018) add uniform noise to the level and take the density there. That is a one-sample lower bound of
    this (Theis et al. 2016, eq. 6). Here the noise is integrated out.
    """

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        from tensorflow_probability import distributions as tfd  # takes seconds to import

        m, log_s = self._location_and_log_scale(output)
        # A quantized distribution gives level k the mass of (k - 1, k].
        normal = tfd.Normal(127.5 * (m + 1) - 0.5, 127.5 * tf.exp(log_s))
        levels = tfd.QuantizedDistribution(normal, low=0, high=LEVELS - 1)
        return self._summed(levels.log_prob(tf.cast(_level(x), output.dtype)))

    def sample(self, output: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        m, log_s = self._location_and_log_scale(output)
        return _value(_level(m + tf.exp(log_s) * noise))


class Categorical(Visible):
    """log softmax of the 256 logits, at the level."""

    def __init__(self, data_shape: Sequence[int]):
        super().__init__(data_shape, numbers=LEVELS)

    def log_prob(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        logits = self._split(output)
        level = tf.broadcast_to(_level(x), tf.shape(logits)[:-1])
        return self._summed(-tf.nn.sparse_softmax_cross_entropy_with_logits(labels=level, logits=logits))

    def mean(self, output: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(self._probabilities(output), _value(tf.range(LEVELS)))

    def sample(self, output: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        below = tf.cumsum(self._probabilities(output), axis=-1) <= _uniform(noise)[..., None]
        return _value(tf.minimum(tf.reduce_sum(tf.cast(below, tf.int32), axis=-1), LEVELS - 1))

    def _probabilities(self, output: tf.Tensor) -> tf.Tensor:
        logits = self._split(output)
        # Flat, as TensorFlow's CPU kernel takes five axes at most.
        return tf.reshape(tf.nn.softmax(tf.reshape(logits, [-1, LEVELS])), tf.shape(logits))


def _level(x: tf.Tensor) -> tf.Tensor:
    """The level, int32 in 0 .. 255, that is nearest to x."""
    return tf.cast(tf.clip_by_value(tf.round((LEVELS - 1) / 2 * (x + 1)), 0, LEVELS - 1), tf.int32)


def _value(level: tf.Tensor) -> tf.Tensor:
    """The x in [-1, 1] of a level."""
    return tf.cast(level, tf.float32) * 2 / (LEVELS - 1) - 1


def _uniform(noise: tf.Tensor) -> tf.Tensor:
    """Uniform in (0, 1), from standard normal noise."""
    return 0.5 * tf.math.erfc(-noise / math.sqrt(2))
