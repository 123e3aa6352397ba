"""Keyed noise: the same numbers for the same key, before and after a resume, on one device or many."""

import math
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial

import tensorflow as tf

# XLA's own random floats are other numbers than TensorFlow's, for every algorithm. Its integers are the same for this
# one, so all noise is made from integers.
PHILOX = 1


def integers(shape: Sequence[int], seed: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Integers uniform over all values of `dtype`. `seed`: integers of shape [2].

    They are those of `tf.random.stateless_uniform(..., alg="philox")` in a third of the operations, whose number limits
    small networks."""
    draw = partial(tf.raw_ops.StatelessRandomUniformFullIntV2, alg=PHILOX)
    # TensorFlow's own scrambling of a seed into a key and a counter.
    scrambler, unscrambled = tf.constant([0x02461E293EC8F720], tf.uint64), tf.cast(seed, tf.uint64)
    key, high = tf.split(draw(shape=[2], key=scrambler, counter=unscrambled, dtype=tf.uint64), 2)
    return draw(shape=shape, key=key, counter=tf.concat([tf.zeros_like(high), high], axis=0), dtype=dtype)


def uniform(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Noise uniform in [0, 1), a multiple of 2^-24: the same with XLA and without. `seed`: integers of shape [2]."""
    bits = integers(shape, seed, tf.uint32)
    return tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def normal(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Standard normal noise (Box and Muller 1958): the same with XLA and without, but for rounding."""
    size = math.prod(shape)
    u, angle = tf.unstack(uniform([2, (size + 1) // 2], seed))
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - u))
    angle *= 2.0 * math.pi
    return tf.reshape(tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)[:size], shape)


def require_size(batch: int | None):
    """Raises ValueError if it is None: the size of a batch, for which noise is drawn."""
    if batch is None:
        raise ValueError("the data has batches of unknown size; it must be batched with drop_remainder=True")


class Key:
    """The source of all randomness of one repeat of one phase of one step.

    Every draw has a name, and is a pure function of (seed, step, phase, repeat, name). Noise is drawn for the
    *global* batch and each replica takes its rows, so that one device and many see the same numbers.
    """

    def __init__(self, seed: tf.Tensor, *, replica: tf.Tensor | int = 0, replicas: int = 1):
        """`seed`: integers of shape [2]; `replica`: this replica's index among `replicas`."""
        self.seed = tf.cast(seed, tf.int64)
        self.replica = replica
        self.replicas = replicas

    def fold(self, *numbers: int | tf.Tensor) -> "Key":
        """A key that also depends on `numbers`, which are integers: as `tf.random.experimental.stateless_fold_in`."""
        seed = self.seed
        for number in numbers:
            seed = tf.stack([integers([], seed, tf.int64), tf.cast(number, tf.int64)])
        return Key(seed, replica=self.replica, replicas=self.replicas)

    def normal(self, name: str, shape: Sequence[int], *, draws: Sequence[int] = ()) -> tf.Tensor:
        """Standard normal noise of shape [*draws, *shape], where shape[0] is this replica's batch size."""
        return self._own_rows(normal, name, shape, draws)

    def uniform(self, name: str, shape: Sequence[int], *, draws: Sequence[int] = ()) -> tf.Tensor:
        """Noise uniform in [0, 1) of shape [*draws, *shape], where shape[0] is this replica's batch size."""
        return self._own_rows(uniform, name, shape, draws)

    def _own_rows(self, distribution, name, shape, draws):
        batch, *rest = shape
        require_size(batch)
        draw = _draw(distribution, (*draws, batch * self.replicas, *rest))
        noise = draw(self.seed, tf.constant(zlib.crc32(name.encode()), tf.int64))
        if self.replicas == 1:
            return noise
        begin = [0] * len(draws) + [tf.cast(self.replica, tf.int32) * batch] + [0] * len(rest)
        return tf.slice(noise, begin, [*draws, batch, *rest])


@cache
def _draw(distribution: Callable, shape: tuple[int, ...]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """`distribution` of a shape, as a function of a key's seed and a name. A step draws often; this is traced once."""

    def draw(seed: tf.Tensor, name: tf.Tensor) -> tf.Tensor:
        return distribution(shape, Key(seed).fold(name).seed)

    return tf.function(draw, autograph=False)


def normal_rows(seeds: tf.Tensor, size: int, stream: int = 0) -> tf.Tensor:
    """Standard normal noise [B, size]: row i is a function of seeds[i] (int64 [B]) alone, whatever the batch.

    Rows of the same seed in two streams are independent.
    """

    def row(seed):
        return normal([size], tf.stack([seed, tf.constant(stream, tf.int64)]))

    return tf.map_fn(row, tf.cast(seeds, tf.int64), fn_output_signature=tf.TensorSpec([size], tf.float32))
