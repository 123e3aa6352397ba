"""Models whose every number is known."""

import types

import tensorflow as tf

FUNCTIONS = (
    "generate",
    "sample",
    "sample_prior",
    "encode",
    "reconstruct",
    "posterior",
    "log_posterior",
    "sample_posterior",
    "discriminate",
)


@tf.function(reduce_retracing=True)
def normal(seeds, size):
    """Standard normal numbers [B, size], a row for each of the seeds int64 [B]."""
    keys = tf.stack([tf.cast(seeds, tf.int64), tf.zeros_like(seeds, tf.int64)], axis=1)
    return tf.map_fn(lambda key: tf.random.stateless_normal([size], key), keys, fn_output_signature=tf.float32)


def model(code_size, **functions):
    """A model with the standard normal prior and what `functions` say; None for all else."""
    assert set(functions) <= set(FUNCTIONS)
    offered = dict.fromkeys(FUNCTIONS) | {"sample_prior": lambda seeds: normal(seeds, code_size)} | functions
    return types.SimpleNamespace(code_size=code_size, **offered)


def gaussian(code_size, mean, stddev, **functions):
    """A model whose posterior has the mean `mean(x)` and the standard deviation `stddev`, a number."""

    def posterior(x):
        return mean(x), tf.fill(tf.shape(mean(x)), tf.math.log(tf.cast(stddev, tf.float32)))

    return model(code_size, posterior=posterior, **functions)


def as_flow(gaussian_model):
    """The same posterior, of which only density and draws are told."""

    def log_posterior(z, x):
        mean, log_stddev = gaussian_model.posterior(x)
        standardized = (z - mean) * tf.exp(-log_stddev)
        return tf.reduce_sum(-0.5 * standardized**2 - log_stddev - 0.9189385332046727, axis=1)

    def sample_posterior(x, seeds):
        mean, log_stddev = gaussian_model.posterior(x)
        return mean + tf.exp(log_stddev) * normal(seeds, mean.shape[1])

    offered = dict(vars(gaussian_model), posterior=None, log_posterior=log_posterior, sample_posterior=sample_posterior)
    return types.SimpleNamespace(**offered)
