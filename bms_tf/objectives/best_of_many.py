"""Best-of-many-samples: how the scores of T candidates G(z_1) .. G(z_T) become one term of the objective.

A reduction turns scores [T, B] (log-likelihoods or logits, higher is better) into one value [B]. Each also says which
single candidate can carry its gradient, so that the T candidates need only be scored forward:
- for max and min the winner's gradient is the reduction's gradient;
- for the means one drawn candidate's gradient is an unbiased estimate of it.
"""

import contextlib
import math
from collections.abc import Callable, Sequence

import tensorflow as tf


class BestOfMany:
    """max_i s_i: the likelihood of the best candidate (BMS-VAE-GAN, eq. 4)."""

    needs_scores = True

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(scores, axis=0)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        return tf.argmax(scores, axis=0, output_type=tf.int32)


class LeastRealistic:
    """min_i s_i: the least realistic candidate (the full BMS-VAE-GAN paper, for sharper images)."""

    needs_scores = True

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_min(scores, axis=0)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        return tf.argmin(scores, axis=0, output_type=tf.int32)


class Mean:
    """mean_i s_i (the BMS-VAE-GAN workshop paper, eq. 4)."""

    needs_scores = False

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(scores, axis=0)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """A uniformly drawn candidate: its gradient's mean over the draw is the gradient of the mean."""
        candidates = scores.shape[0]
        return tf.minimum(tf.cast(uniform * candidates, tf.int32), candidates - 1)


class LogMeanExp:
    """log mean_i exp s_i: the multi-sample bound itself (workshop paper, eq. 2 and 3)."""

    needs_scores = True

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(scores, axis=0) - math.log(scores.shape[0])

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """A candidate drawn with weights softmax(s): the gradient of the bound is the mean over that draw."""
        below = tf.cumsum(tf.nn.softmax(scores, axis=0), axis=0) <= uniform
        return tf.minimum(tf.reduce_sum(tf.cast(below, tf.int32), axis=0), scores.shape[0] - 1)


# (how a batch of data [N, ...] is scored, given as [K, B, ...] -> [K, B]; the reduction over the K = T candidates)
Term = tuple[Callable[[tf.Tensor], tf.Tensor], BestOfMany | LeastRealistic | Mean | LogMeanExp]


def naive(
    decode: Callable[[tf.Tensor], tf.Tensor],
    noise: tf.Tensor,
    uniform: tf.Tensor,
    terms: Sequence[Term],
    *,
    chunk: int | None = None,
    scoring: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
) -> list[tf.Tensor]:
    """Each term's value [B], with gradient through all T candidates at once.

    `decode`: noise [K, B, Z] to candidates [K, B, ...]; `noise`: [T, B, Z]. The other arguments are those of
    `winners_only` and are not needed here.
    """
    candidates = decode(noise)
    return [reduction.reduce(score(candidates)) for score, reduction in terms]


def winners_only(
    decode: Callable[[tf.Tensor], tf.Tensor],
    noise: tf.Tensor,
    uniform: tf.Tensor,
    terms: Sequence[Term],
    *,
    chunk: int | None = None,
    scoring: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
) -> list[tf.Tensor]:
    """Each term's value [B], with gradient through one candidate a term.

    All T candidates are scored without gradient, `chunk` of them at a time (None: all at once), inside `scoring()`;
    then each term's chosen candidate is decoded again with gradient. Memory does not grow with T. For max and min this
    is exactly the gradient of `naive`, unless the networks have batch statistics; for the means it is unbiased.

    `decode`: noise [K, B, Z] to candidates [K, B, ...]; `noise`: [T, B, Z]; `uniform`: [len(terms), B], for the
    reductions that draw. Raises ValueError where `chunk` does not divide T.
    """
    many, batch = noise.shape[0], noise.shape[1]
    if many == 1:
        return naive(decode, noise, uniform, terms)
    chunk = chunk or many
    if many % chunk:
        raise ValueError(f"chunk is {chunk}; it must divide the {many} samples per data point")

    def scores_of(part):
        candidates = decode(part)
        return [score(candidates) for score, reduction in terms if reduction.needs_scores]

    with scoring():
        if chunk == many:
            scored = scores_of(noise)
        else:
            parts = tf.reshape(noise, [many // chunk, chunk, *noise.shape[1:]])
            count = sum(reduction.needs_scores for _, reduction in terms)
            scored = tf.map_fn(
                scores_of,
                parts,
                parallel_iterations=1,  # by default ten may be held at a time
                fn_output_signature=[tf.TensorSpec([chunk, batch], noise.dtype)] * count,
            )
            scored = [tf.reshape(scores, [many, batch]) for scores in scored]
    scored = iter([tf.stop_gradient(scores) for scores in scored])

    rows = tf.range(batch)
    scores = [next(scored) if reduction.needs_scores else None for _, reduction in terms]
    chosen = [
        reduction.choose(tf.zeros([many, batch]) if s is None else s, u)
        for s, (_, reduction), u in zip(scores, terms, tf.unstack(uniform, num=len(terms)))
    ]
    winners = decode(tf.stack([tf.gather_nd(noise, tf.stack([index, rows], axis=-1)) for index in chosen]))
    values = [score(winners[i : i + 1])[0] for i, (score, _) in enumerate(terms)]
    # The value shown is the reduction's own; the gradient is the chosen candidate's.
    return [
        value if s is None else tf.stop_gradient(reduction.reduce(s) - value) + value
        for value, s, (_, reduction) in zip(values, scores, terms)
    ]
