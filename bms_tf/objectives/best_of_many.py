"""Best-of-many-samples: how the scores of T candidates G(z_1) .. G(z_T) become one term of the objective.

A reduction turns scores [T, B] (log-likelihoods or logits, higher is better) into one value [B]. It also says which
single candidate can carry the gradient, so that the T candidates need only a forward pass:
- for max and min the winner's gradient is the reduction's gradient;
- for the means, the gradient of one drawn candidate is an unbiased estimate.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Literal

import tensorflow as tf


class Reduction:
    """Turns scores [T, B] of T candidates into one value [B], and chooses the candidate that carries its gradient."""

    needs_scores = True  # to choose

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        """The value [B] of `scores` [T, B]."""
        raise TypeError(f"{type(self).__name__} must define reduce()")

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """The index, int32 [B], of a candidate of each example.

        Args:
            scores: [T, B].
            uniform: [B] in [0, 1), for reductions that draw.
        """
        raise TypeError(f"{type(self).__name__} must define choose()")

    def at(self, updates: tf.Tensor) -> "Reduction":
        """The reduction after so many generator updates. One that does not change over a run returns itself."""
        return self


class BestOfMany(Reduction):
    """max_i s_i: the likelihood of the best candidate (BMS-VAE-GAN, eq. 4)."""

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(scores, axis=0)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        return tf.argmax(scores, axis=0, output_type=tf.int32)


class LeastRealistic(Reduction):
    """min_i s_i: the least realistic candidate (the full BMS-VAE-GAN paper, for sharper images)."""

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_min(scores, axis=0)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        return tf.argmin(scores, axis=0, output_type=tf.int32)


class Mean(Reduction):
    """mean_i s_i (the BMS-VAE-GAN workshop paper, eq. 4)."""

    needs_scores = False

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(scores, axis=0)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """A uniformly drawn candidate. The expectation of its gradient is the gradient of the mean."""
        candidates = scores.shape[0]
        return tf.minimum(tf.cast(uniform * candidates, tf.int32), candidates - 1)


class LogMeanExp(Reduction):
    """t log mean_i exp(s_i / t): at a temperature t of 1 the multi-sample bound itself (workshop paper, eq. 2 and 3).

    For t above 0 it lies between the mean and the max, and becomes the max as t falls to 0. For t below 0 it lies
    between the mean and the min (ours): only a candidate that stands out by more than -t counts more than the others.
    """

    def __init__(self, temperature: float = 1.0):
        """Keeps the temperature.

        Args:
            temperature: in the units of the scores, finite and not 0.

        Raises:
            ValueError: for another one.
        """
        if not math.isfinite(temperature) or temperature == 0:
            raise ValueError(f"LogMeanExp.temperature is {temperature}; it must be finite and not 0")
        self.temperature = temperature

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        summed = tf.reduce_logsumexp(scores / self.temperature, axis=0)
        return self.temperature * (summed - math.log(scores.shape[0]))

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """A candidate drawn with weights softmax(s / t). Its expected gradient is the reduction's gradient."""
        below = tf.cumsum(tf.nn.softmax(scores / self.temperature, axis=0), axis=0) <= uniform
        return tf.minimum(tf.reduce_sum(tf.cast(below, tf.int32), axis=0), scores.shape[0] - 1)


class Annealed(Reduction):
    """w S_1 + (1 - w) S_2, where the weight w is a schedule of generator updates (ours): S_1 turns into S_2."""

    def __init__(
        self,
        *,
        first: Reduction,
        last: Reduction,
        schedule: Callable[[float], Callable[[tf.Tensor], tf.Tensor]],
    ):
        """Keeps both.

        Args:
            first: S_1.
            last: S_2.
            schedule: makes w, a schedule of generator updates that starts from 1, with values in [0, 1].
        """
        self.first, self.last, self.weight = first, last, schedule(1.0)

    def at(self, updates: tf.Tensor) -> Reduction:
        return _Mixed(self.first.at(updates), self.last.at(updates), self.weight(updates))


class _Mixed(Reduction):
    """w S_1 + (1 - w) S_2 at one moment."""

    def __init__(self, first: Reduction, last: Reduction, weight: tf.Tensor):
        self.first, self.last, self.weight = first, last, weight

    def reduce(self, scores: tf.Tensor) -> tf.Tensor:
        return self.weight * self.first.reduce(scores) + (1 - self.weight) * self.last.reduce(scores)

    def choose(self, scores: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """The choice of S_1 with probability w, else that of S_2. The rest of `uniform` is uniform in either case."""
        below = uniform < self.weight
        left = tf.where(below, uniform / self.weight, (uniform - self.weight) / (1 - self.weight))
        left = tf.minimum(left, 1 - 2**-24)  # a quotient may round up to 1
        return tf.where(below, self.first.choose(scores, left), self.last.choose(scores, left))


# (how a batch of data [N, ...] is scored, given as [K, B, ...] -> [K, B]; the reduction over the K = T candidates)
Term = tuple[Callable[[tf.Tensor], tf.Tensor], Reduction]
Decode = Callable[[tf.Tensor], tf.Tensor]
# Around the passes in which candidates are only scored, by the precision asked for (None: that of the networks).
Scoring = Callable[[str | None], contextlib.AbstractContextManager]


class Gradient:
    """How the terms of T candidates are differentiated."""

    def __call__(
        self, decode: Decode, noise: tf.Tensor, uniform: tf.Tensor, terms: Sequence[Term], scoring: Scoring
    ) -> list[tf.Tensor]:
        """Each term's value, [B].

        Args:
            decode: noise [K, B, Z] to candidates [K, B, ...].
            noise: [T, B, Z].
            uniform: [len(terms), B] in [0, 1), for the reductions that draw.
            terms: how candidates are scored, and how the scores are reduced.
            scoring: see `Scoring`.
        """
        raise TypeError(f"{type(self).__name__} must define a call")


class Naive(Gradient):
    """Through all T candidates at once, in memory that grows with T. The authors' code does this."""

    def __call__(self, decode, noise, uniform, terms, scoring=contextlib.nullcontext) -> list[tf.Tensor]:
        candidates = decode(noise)
        return [reduction.reduce(score(candidates)) for score, reduction in terms]


class WinnersOnly(Gradient):
    """Through one candidate per term. Memory does not grow with T.

    All T candidates are scored without gradient, inside `scoring(precision)`. Then the chosen candidate of each term is
    decoded again, with gradient. For max and min this is exactly the gradient of `Naive`, unless the networks have
    batch statistics. For the means it is unbiased.
    """

    def __init__(self, chunk: int | None = None, precision: Literal["bfloat16"] | None = None):
        """Says how candidates are scored.

        Args:
            chunk: how many candidates of each example are scored at once, a divisor of T. None scores all of them at
                once.
            precision: the precision in which the networks score. None takes their own.

        Raises:
            ValueError: for other values.
        """
        if chunk is not None and chunk < 1:
            raise ValueError(f"WinnersOnly.chunk is {chunk}; it must be at least 1, or None for all candidates at once")
        if precision not in (None, "bfloat16"):
            raise ValueError(f'WinnersOnly.precision is {precision!r}; allowed are None and "bfloat16"')
        self.chunk, self.precision = chunk, precision

    def __call__(self, decode, noise, uniform, terms, scoring=contextlib.nullcontext) -> list[tf.Tensor]:
        """Raises ValueError where the chunk does not divide T."""
        many, batch = noise.shape[0], noise.shape[1]
        if many == 1:
            return Naive()(decode, noise, uniform, terms)
        with scoring(self.precision):
            scores = self._scores(decode, noise, terms)
        rows = tf.range(batch)
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

    def _scores(self, decode: Decode, noise: tf.Tensor, terms: Sequence[Term]) -> list[tf.Tensor | None]:
        """The scores [T, B] of each term that needs them to choose, without gradient."""
        many, batch = noise.shape[0], noise.shape[1]
        chunk = self.chunk or many
        if many % chunk:
            raise ValueError(f"WinnersOnly.chunk is {chunk}; it must divide the {many} samples per data point")

        def scores_of(part):
            candidates = decode(part)
            return [score(candidates) for score, reduction in terms if reduction.needs_scores]

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
        return [next(scored) if reduction.needs_scores else None for _, reduction in terms]
