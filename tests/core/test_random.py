"""Noise is a function of its key alone: not of the compiler, the replicas or the batch."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.random import Key, integers, normal, normal_rows, uniform

SEED = tf.constant([3, 141], tf.int64)


@pytest.mark.parametrize(("distribution", "tolerance"), [(uniform, 0), (normal, 1e-6)])
@pytest.mark.parametrize("shape", [(7,), (2, 4, 3)])
def test_xla_gives_the_same_numbers(distribution, tolerance, shape):
    # The integers are the same; cosine and logarithm of the two compilers may differ in the last digit.
    compiled = tf.function(lambda: distribution(shape, SEED), jit_compile=True)()
    np.testing.assert_allclose(compiled, distribution(shape, SEED), rtol=tolerance, atol=tolerance)
    assert compiled.shape == shape


@pytest.mark.parametrize("seed", [(0, 0), (3, 141), (-7, 2**40 + 3), (2**62 + 5, -(2**50))])
@pytest.mark.parametrize("compiled", [False, True])
def test_integers_and_folding_are_those_of_tensorflow(seed, compiled):
    seed = tf.constant(seed, tf.int64)
    for dtype in (tf.uint32, tf.int64):
        drawn = tf.function(lambda s, dtype=dtype: integers([5, 3], s, dtype), jit_compile=compiled)(seed)
        expected = tf.random.stateless_uniform([5, 3], seed, minval=None, maxval=None, dtype=dtype, alg="philox")
        np.testing.assert_array_equal(drawn, expected)
    folded = tf.function(lambda s: Key(s).fold(77).seed, jit_compile=compiled)(seed)
    np.testing.assert_array_equal(folded, tf.random.experimental.stateless_fold_in(seed, tf.constant(77, tf.int64)))


def test_uniform():
    # Multiples of 2^-24 in [0, 1). 10^5 of them: mean 1/2, with an error of 1 / sqrt(12 * 10^5) = 0.00091; a count in a
    # tenth has the variance 10^5 * 0.1 * 0.9, an error of 95. Five errors.
    u = uniform([100_000], SEED).numpy()
    assert u.min() >= 0 and u.max() < 1
    np.testing.assert_array_equal(u * 2**24 % 1, 0)
    assert abs(u.mean() - 0.5) < 5 * 0.00091
    np.testing.assert_allclose(np.histogram(u, 10, (0, 1))[0], 10_000, atol=5 * 95)


def test_moments_of_normal():
    # For n normal numbers the mean of x^k errs by sqrt((E x^2k - (E x^k)^2) / n): 1, sqrt 2, sqrt 15 and sqrt 96 over
    # sqrt n for k = 1 to 4, around 0, 1, 0 and 3. Five errors. The two halves come from the same radii and are
    # uncorrelated, also in their squares, whose variance is 2: 1 and 2 over sqrt(n / 2).
    n = 100_000
    x = normal([n], SEED).numpy().astype(float)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(np.mean(x**power) - moment) < 5 * np.sqrt(variance / n)
    a, b = np.split(x, 2)
    assert abs(np.mean(a * b)) < 5 * np.sqrt(2 / n)
    assert abs(np.mean((a**2 - 1) * (b**2 - 1))) < 5 * 2 * np.sqrt(2 / n)


def test_normal_by_hand():
    # Box and Muller: sqrt(-2 log(1 - u)) times cosine and sine of 2 pi v, for an odd count without the last sine.
    u, v = uniform([2, 3], SEED).numpy().astype(float)
    radius, angle = np.sqrt(-2 * np.log(1 - u)), 2 * np.pi * v
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:5]
    np.testing.assert_allclose(normal([5], SEED), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("draw", ["normal", "uniform"])
@pytest.mark.parametrize("draws", [(), (3,)])
@pytest.mark.parametrize("replicas", [2, 4])
def test_the_replicas_slices_are_the_global_draw(draw, draws, replicas):
    whole = getattr(Key(SEED), draw)("noise", (8, 3), draws=draws)
    slices = [
        getattr(Key(SEED, replica=tf.constant(replica), replicas=replicas), draw)(
            "noise", (8 // replicas, 3), draws=draws
        )
        for replica in range(replicas)
    ]
    np.testing.assert_array_equal(np.concatenate(slices, axis=len(draws)), whole)


def test_every_part_of_the_key_counts():
    # (seed, step), (phase, repeat) and the name: no two of these share a number.
    keys = [
        Key(tf.constant([seed, step], tf.int64)).fold(phase, repeat)
        for seed, step, phase, repeat in [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    ]
    numbers = np.concatenate([key.normal(name, (100,)) for key in keys for name in ("prior", "posterior")])
    assert len(np.unique(numbers)) == 1000
    # The same key gives the same numbers, whatever was drawn in between.
    np.testing.assert_array_equal(keys[0].normal("prior", (100,)), numbers[:100])


def test_a_row_is_a_function_of_its_seed_alone():
    together = normal_rows(tf.constant([5, -1, 2**40, 5], tf.int64), 3).numpy()
    np.testing.assert_array_equal(together[0], together[3])
    for row, seed in zip(together, [5, -1, 2**40]):
        np.testing.assert_array_equal(normal_rows(tf.constant([seed], tf.int64), 3)[0], row)
    assert len(np.unique(together)) == 9
    assert normal_rows(tf.zeros([0], tf.int64), 3).shape == (0, 3)
