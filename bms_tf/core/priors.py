"""Priors other than the standard normal one, as mixins ahead of `System`."""

import math

import tensorflow as tf

from bms_tf.core.random import Key


class UniformPrior:
    """Codes uniform in (-1, 1): the distribution function of what would have been their standard normal noise."""

    def sample_prior(self, seeds: tf.Tensor) -> tf.Tensor:
        return _uniform(super().sample_prior(seeds))  # pyright: ignore[reportAttributeAccessIssue], the system's

    def prior_codes(self, x: tf.Tensor, key: Key) -> tf.Tensor:
        return _uniform(super().prior_codes(x, key))  # pyright: ignore[reportAttributeAccessIssue]


def _uniform(noise: tf.Tensor) -> tf.Tensor:
    return tf.math.erf(noise / math.sqrt(2))
