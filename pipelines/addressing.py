"""Datasets that can be entered at any step: an element depends only on (seed, step), never on what was read before it.

So a resumed run sees the data that it would have seen, and one device and many see the same global batches.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

MIXTURE_SPLITS = ("train", "validation", "test")
MOST_NUMBERS = 2**28  # in a finite split that is kept in memory: 1 GB


def check_request(split: str, start_step: int, examples_per_step: int, *, allowed: Sequence[str]) -> None:
    """Raises ValueError where a pipeline is asked for a split, step or batch that does not exist."""
    if split not in allowed:
        raise ValueError(f"split={split!r}: allowed are {', '.join(allowed)}")
    if start_step < 0:
        raise ValueError(f"start_step={start_step}: must be at least 0")
    if examples_per_step < 1:
        raise ValueError(f"examples_per_step={examples_per_step}: must be at least 1")


def check_held_out(held_out: int, numbers: int) -> None:
    """Raises ValueError where a split would have no example, or more than memory is for, at `numbers` each."""
    if not 1 <= held_out <= MOST_NUMBERS // numbers:
        raise ValueError(f"held_out is {held_out}; it must lie in 1..{MOST_NUMBERS // numbers}")


def shares(
    start_step: int, examples_per_step: int, input_context: tf.distribute.InputContext | None
) -> tuple[tf.data.Dataset, int]:
    """Who reads what: an endless dataset of (step, first row), and the number of rows from there on.

    With R replicas in W input pipelines (workers), pipeline w has R/W local replicas. Its element number s * (R/W) + r
    is the share of local replica r at step s: the rows [(w * R/W + r) * share, ... + share) of the global batch, with
    share = examples_per_step / R. Without a context there is one replica, which reads whole batches.

    Args:
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        input_context: as `tf.distribute.Strategy.distribute_datasets_from_function` gives it, or None.

    Returns:
        A dataset of (step, first row), both int64 [], and the share.

    Raises:
        ValueError: if the global batch cannot be shared evenly.
    """
    context = input_context or tf.distribute.InputContext()  # one pipeline, one replica
    replicas = context.num_replicas_in_sync
    local = replicas // context.num_input_pipelines
    if examples_per_step % replicas:
        raise ValueError(f"examples_per_step={examples_per_step}: must be a multiple of the {replicas} replicas")
    share = examples_per_step // replicas

    @tf.autograph.experimental.do_not_convert  # which only takes longer: nothing here branches on a tensor
    def address(element: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        replica = context.input_pipeline_id * local + element % local
        return element // local, replica * share

    return tf.data.Dataset.counter(start_step * local).map(address), share


def mixture(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None,
    *,
    centers: np.ndarray,
    std: float | np.ndarray,
    held_out: int,
) -> tf.data.Dataset:
    """Points of a mixture of Gaussians with equal weights, drawn on the fly.

    Args:
        split: "train" is endless; "validation" and "test" are one ordered pass, drawn under keys of their own.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the split and the step, the key of all draws.
        input_context: which share of each batch is read, see `shares`; None: the whole. Every worker gets the whole of
            a finite split.
        centers: [K, D].
        std: standard deviation, one for all dimensions or [D].
        held_out: how many points the validation and test splits have each.

    Returns:
        float32 [share, D] (train), or [examples_per_step, D] with a smaller last batch.

    Raises:
        ValueError: for an unknown split, a bad step or batch size, and for values out of range.
    """
    check_request(split, start_step, examples_per_step, allowed=MIXTURE_SPLITS)
    centers = np.asarray(centers, np.float32)
    modes, dimensions = centers.shape
    check_held_out(held_out, dimensions)
    if not (np.min(std) >= 0 and np.isfinite(std).all()):
        raise ValueError(f"std is {std}; it must be finite and not negative")

    def draw(step: tf.Tensor, count: int) -> tf.Tensor:
        # Always Philox: the default algorithm depends on the device.
        key = tf.random.fold_in(tf.constant([seed, MIXTURE_SPLITS.index(split)], tf.int64), step, alg="philox")
        mode_key, noise_key = tf.unstack(tf.random.split(key, alg="philox"))
        mode = tf.random.stateless_uniform([count], mode_key, maxval=modes, dtype=tf.int32, alg="philox")
        noise = tf.random.stateless_normal([count, dimensions], noise_key, alg="philox")
        return tf.gather(centers, mode) + tf.constant(std, tf.float32) * noise

    if split != "train":
        with tf.device("CPU:0"):  # where tf.data works too: a GPU's normal numbers differ in the last bits
            points = draw(tf.constant(0, tf.int64), held_out)
        return tf.data.Dataset.from_tensor_slices(points).batch(examples_per_step).skip(start_step)

    steps, share = shares(start_step, examples_per_step, input_context)

    @tf.autograph.experimental.do_not_convert
    def own_rows(step: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        # The global batch is drawn and cut, so that its numbers do not depend on the number of replicas.
        return tf.slice(draw(step, examples_per_step), [first, 0], [share, dimensions])

    return steps.map(own_rows, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
