"""The uniform prior: what it draws, in training and in what is exported."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from bms_tf.core.priors import UniformPrior
from bms_tf.core.random import Key, normal_rows


class Normal:
    """What a system draws without the mixin."""

    def sample_prior(self, seeds):
        return normal_rows(seeds, 3)

    def prior_codes(self, x, key):
        return key.normal("prior", (x.shape[0], 3))


class Uniform(UniformPrior, Normal):
    pass


DRAWS = {
    "exported": lambda system: tf.function(system.sample_prior)(tf.range(300, dtype=tf.int64)).numpy(),
    "in training": lambda system: system.prior_codes(tf.zeros([300, 2]), Key(tf.constant([0, 1], tf.int64))).numpy(),
}


@pytest.mark.parametrize("drawn", DRAWS.values(), ids=DRAWS)
def test_codes_are_uniform_and_rise_with_the_noise(drawn):
    codes, noise = drawn(Uniform()), drawn(Normal())
    # The distribution function of the noise is uniform in (0, 1); twice it, less 1, in (-1, 1).
    np.testing.assert_allclose(codes, 2 * scipy.stats.norm.cdf(noise) - 1, atol=1e-6)
    assert np.all(np.abs(codes) < 1)
    assert scipy.stats.kstest(codes.ravel(), scipy.stats.uniform(-1, 2).cdf).pvalue > 0.01
