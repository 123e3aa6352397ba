"""The 1200-D mixture of Metz et al. and Srivastava et al. (VEEGAN, 2017): ten 700-D Gaussians in 1200 dimensions."""

import gin
import numpy as np
import tensorflow as tf

from pipelines.addressing import mixture

DIMENSIONS = 1200
NOISY = 700  # the first of them; the other 500 are the component's mean, exactly
MEANS = (-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5)  # from VEEGAN's public code


@gin.configurable
def high_dim_centers() -> np.ndarray:
    """Means of the components, float64 [10, 1200]: one scalar each, on all dimensions."""
    return np.repeat(np.array(MEANS)[:, None], DIMENSIONS, axis=1)


@gin.configurable
def high_dim(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    held_out: int = 10_000,
) -> tf.data.Dataset:
    """A component's mean plus N(0, 1) on the first 700 dimensions.

    Args:
        split: "train" is endless; "validation" and "test" are one ordered pass, given to every worker whole.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the split and the step, the key of all draws.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        held_out: points in the validation split, and in the test split.

    Returns:
        float32 [share, 1200]. The last batch of a finite split may be smaller.

    Raises:
        ValueError: for an unknown split, a bad step or batch size, and for values out of range.
    """
    std = np.where(np.arange(DIMENSIONS) < NOISY, 1.0, 0.0)
    return mixture(
        split,
        start_step,
        examples_per_step,
        seed,
        input_context,
        centers=high_dim_centers(),
        std=std,
        held_out=held_out,
    )
