"""The 2-D ring: Gaussians on a circle, the smallest test for lost modes (as in Srivastava et al., VEEGAN, 2017)."""

import gin
import numpy as np
import tensorflow as tf

from pipelines.addressing import mixture


@gin.configurable
def ring_centers(*, modes: int = 8, radius: float = 1.0) -> np.ndarray:
    """Centers of the modes, float64 [modes, 2], at the angles 2 pi i / modes.

    (Public code often has `linspace(0, 2 * pi, 8)`, whose first and last mode are the same.)

    Args:
        modes: how many, in 1..10000.
        radius: of the circle.

    Raises:
        ValueError: for a number of modes out of range.
    """
    if not 1 <= modes <= 10_000:
        raise ValueError(f"ring_centers.modes is {modes}; it must lie in 1..10000")
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@gin.configurable
def ring(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    std: float = 0.01,
    held_out: int = 10_000,
) -> tf.data.Dataset:
    """Points around `ring_centers`.

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
        split, start_step, examples_per_step, seed, input_context, centers=ring_centers(), std=std, held_out=held_out
    )
