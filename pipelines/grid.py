"""The 2-D grid: 25 Gaussians on a square lattice (as in Srivastava et al., VEEGAN, 2017)."""

import gin
import numpy as np
import tensorflow as tf

from pipelines.addressing import mixture


@gin.configurable
def grid_centers(*, side: int = 5, spacing: float = 2.0) -> np.ndarray:
    """Centers of the modes, float64 [side^2, 2]: a square lattice around 0, by default {-4, -2, 0, 2, 4}^2.

    Args:
        side: modes along each edge, in 1..100.
        spacing: between two neighbors.

    Raises:
        ValueError: for a number of modes out of range.
    """
    if not 1 <= side <= 100:
        raise ValueError(f"grid_centers.side is {side}; it must lie in 1..100")
    axis = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


@gin.configurable
def grid(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    std: float = 0.05,
    held_out: int = 10_000,
) -> tf.data.Dataset:
    """Points around `grid_centers`.

    Args:
        split: "train" is endless; "validation" and "test" are one ordered pass, given to every worker whole.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the split and the step, the key of all draws.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        std: standard deviation of a mode in each dimension.
        held_out: points in the validation split, and in the test split.

    Returns:
        float32 [share, 2]. The last batch of a finite split may be smaller.

    Raises:
        ValueError: for an unknown split, a bad step or batch size, and for values out of range.
    """
    return mixture(
        split, start_step, examples_per_step, seed, input_context, centers=grid_centers(), std=std, held_out=held_out
    )
