"""What holds of the objectives for all numbers: no overflow at extreme logits, no order among the candidates."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bms_tf.networks.posteriors import DiagonalGaussian
from bms_tf.objectives import adversarial, best_of_many, divergences, penalties, visible

B, Z = 3, 2
LOSSES = [
    adversarial.Hinge(),
    adversarial.CrossEntropy(),
    adversarial.NonSaturating(),
    adversarial.RelativisticPairing(),
]
REDUCTIONS = [
    best_of_many.BestOfMany(),
    best_of_many.LeastRealistic(),
    best_of_many.Mean(),
    best_of_many.LogMeanExp(),
    best_of_many.LogMeanExp(-1.0),
]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda reduction: type(reduction).__name__)


def numbers(shape, bound):
    """Arrays, float32, of numbers of any size up to `bound`; TensorFlow takes those below 1e-38 for 0."""
    bound = float(np.float32(bound))
    return arrays(np.float32, shape, elements=st.floats(-bound, bound, width=32, allow_subnormal=False))


def value_and_slopes(function, *arguments):
    tensors = [tf.constant(argument, tf.float32) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return value.numpy(), [slope.numpy() for slope in tape.gradient(value, tensors, unconnected_gradients="zero")]


@each_loss
@given(real=numbers(B, 1e30), fake=numbers(B, 1e30))
@example(real=np.float32([1e30, -1e30, 0]), fake=np.float32([-1e30, 1e30, 0]))
def test_losses_at_extreme_logits(loss, real, fake):
    # Every side changes with a logit by no more than the logit does, so that a value is at most |r| + |f| and what it
    # is at 0, 2 at most; D's falls with the real logit and rises with the fake one, and G's falls with the fake one.
    for side in (loss.discriminator, loss.generator):
        value, (by_real, by_fake) = value_and_slopes(side, real, fake)
        assert np.all(np.abs(value) <= (np.abs(real) + np.abs(fake) + 2) * (1 + 1e-6))
        sign = 1 if side == loss.discriminator else -1
        assert np.all((sign * by_fake >= 0) & (sign * by_fake <= 1))
        assert np.all((sign * by_real <= 0) & (sign * by_real >= -1))


@each_loss
@given(real=numbers(B, 1e38), fake=numbers(B, 1e38))
def test_losses_of_logits_that_bfloat16_has_rounded(loss, real, fake):
    # bfloat16 keeps 8 bits, so that a logit l comes out within |l| / 256, and a loss, which is computed in float32,
    # changes by no more. Both types reach 3e38.
    rounded = [tf.cast(tf.cast(logits, tf.bfloat16), tf.float32) for logits in (real, fake)]
    allowed = (np.abs(real) + np.abs(fake)) * np.float32(1 / 256 + 1e-6) + 1e-6
    for side in (loss.discriminator, loss.generator):
        assert np.all(np.abs(side(*rounded) - side(tf.constant(real), tf.constant(fake))) <= allowed)


@each_loss
def test_a_loss_where_bfloat16_has_ended(loss):
    # The largest numbers are (2 - 2^-7) 2^127 = 3.390e38 in bfloat16 and (2 - 2^-23) 2^127 = 3.403e38 in float32.
    far, zero = tf.constant(3.4e38), tf.constant(0.0)
    assert np.isinf(tf.cast(far, tf.bfloat16).numpy())
    for side in (loss.discriminator, loss.generator):
        for pair in ((far, zero), (-far, zero), (zero, far), (zero, -far)):
            assert np.isfinite(side(*pair))


@given(real=numbers(B, 1e30), fake=numbers(B, 1e30), shift=st.integers(-1000, 1000))
def test_relativistic_pairing(real, fake, shift):
    # D's side is softplus(t) and G's softplus(-t) of t = f - r: they differ by t, either is the other's with the two
    # logits exchanged, and neither is below 0 or the difference.
    loss = adversarial.RelativisticPairing()
    of_d, of_g = loss.discriminator(real, fake).numpy(), loss.generator(real, fake).numpy()
    t = fake - real
    np.testing.assert_allclose(of_d - of_g, t, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(of_d, loss.generator(fake, real))
    assert np.all(of_d >= np.maximum(t, 0)) and np.all(of_d <= np.maximum(t, 0) + np.float32(math.log(2)) + 1e-6)
    np.testing.assert_allclose(loss.discriminator(real, real), np.full(B, math.log(2)), rtol=1e-6)
    whole = np.round(np.clip(real, -1000, 1000))  # so that a shift loses no digit
    other = np.round(np.clip(fake, -1000, 1000))
    np.testing.assert_array_equal(
        loss.discriminator(whole + shift, other + shift), loss.discriminator(whole, other).numpy()
    )


@given(logits=numbers(B, 1e30))
def test_the_two_cross_entropies(logits):
    # -log s(l) and -log(1 - s(l)): softplus(l) - softplus(-l) = l, and both are -log of a probability.
    real, fake = adversarial.cross_entropy_real(logits).numpy(), adversarial.cross_entropy_fake(logits).numpy()
    np.testing.assert_allclose(fake - real, logits, rtol=1e-6, atol=1e-6)
    assert np.all(real >= 0) and np.all(fake >= 0)


@each_reduction
@given(scores=st.integers(1, 8).flatmap(lambda many: numbers((many, B), 1e30)), order=st.randoms())
def test_the_order_of_the_candidates_does_not_matter(reduction, scores, order):
    permuted = order.sample(range(len(scores)), len(scores))
    value, (slope,) = value_and_slopes(reduction.reduce, scores)
    again, (slope_again,) = value_and_slopes(reduction.reduce, scores[permuted])
    assert np.isfinite(value).all() and np.isfinite(slope).all()
    scale = np.abs(scores).max(axis=0)  # what terms that cancel each other are rounded to
    assert np.all(np.abs(again - value) <= 1e-6 * scale + 1e-6)
    np.testing.assert_allclose(slope_again, slope[permuted], rtol=1e-5, atol=1e-6)


@each_reduction
@given(
    scores=st.integers(1, 8).flatmap(lambda many: numbers((many, B), 1e30)), uniform=st.floats(0, 1, exclude_max=True)
)
def test_a_choice_is_one_of_the_candidates(reduction, scores, uniform):
    chosen = reduction.choose(tf.constant(scores), tf.fill([B], np.float32(min(uniform, 1 - 2**-24)))).numpy()
    assert np.all((chosen >= 0) & (chosen < len(scores)))
    if isinstance(reduction, (best_of_many.BestOfMany, best_of_many.LeastRealistic)):
        np.testing.assert_array_equal(scores[chosen, np.arange(B)], reduction.reduce(scores))


@given(scores=st.integers(1, 8).flatmap(lambda many: numbers((many, B), 1e4)))
def test_the_order_of_the_reductions(scores):
    # min <= -log mean exp(-s) <= mean <= log mean exp <= max, both inner ones by Jensen's inequality; and max - log T
    # <= log mean exp.
    largest, least, mean, bound, below = (reduction.reduce(tf.constant(scores)).numpy() for reduction in REDUCTIONS)
    room = 1e-6 * np.abs(scores).max(axis=0) + 1e-6
    assert (
        np.all(least <= below + room)
        and np.all(below <= mean + room)
        and np.all(mean <= bound + room)
        and np.all(bound <= largest + room)
    )
    assert np.all(largest - math.log(len(scores)) <= bound + room)


@given(noise=numbers((8, B, Z), 100), x=numbers((B, Z), 100), chunk=st.sampled_from([None, 1]))
def test_more_candidates_are_never_worse(noise, x, chunk):
    # The candidates of T are among those of T + 1: the best only rises, and the least realistic only falls.
    def likelihood(candidates):
        return -tf.reduce_sum(tf.abs(x - candidates), axis=-1)

    def values(many, estimator):
        terms = [(likelihood, best_of_many.BestOfMany()), (likelihood, best_of_many.LeastRealistic())]
        found = estimator(lambda z: 3.0 * z, tf.constant(noise[:many]), tf.zeros([2, B]), terms)
        return [value.numpy() for value in found]

    naive = [values(many, best_of_many.Naive()) for many in range(1, 9)]
    best, least = (np.stack(of_term) for of_term in zip(*naive))
    assert np.all(np.diff(best, axis=0) >= 0) and np.all(np.diff(least, axis=0) <= 0)
    for many in (2, 8):
        # value + (reduction - value), the way the winner's gradient is given, is rounded once.
        for winners, exact in zip(values(many, best_of_many.WinnersOnly(chunk)), naive[many - 1]):
            np.testing.assert_allclose(winners, exact, rtol=1e-5)


@given(data=st.data(), distribution=st.sampled_from([visible.Bernoulli, visible.Categorical]))
def test_visible_distributions_at_extreme_logits(data, distribution):
    # Whatever the logits: a log-probability of a bit, or of a level, is at most 0, and its slopes lie in [-1, 1].
    made = distribution((Z,))
    x = data.draw(arrays(np.float32, (B, Z), elements=st.sampled_from([-1.0, 1.0])))
    value, (slope,) = value_and_slopes(
        lambda output: made.log_prob(x, output), data.draw(numbers((B, *made.output_shape), 1e30))
    )
    assert np.isfinite(value).all() and np.all(value <= 0)
    assert np.all(np.abs(slope) <= 1 + 1e-6)


@pytest.mark.parametrize("distribution", [visible.Gaussian, visible.Laplace, visible.QuantizedNormal])
@given(
    x=numbers((B, 1), 1),
    location=st.floats(-100, 100, width=32),
    log_scale=st.floats(-10, 8, width=32),
    pixels=st.booleans(),
)
def test_locations_and_scales_far_beyond_the_data(distribution, x, location, log_scale, pixels):
    made = distribution((1, 1, 1) if pixels else (1,))
    output = np.tile(np.float32([location, log_scale]), (B, 1))
    if pixels:
        x, output = x[:, None, None], output[:, None, None]
    value, (slope,) = value_and_slopes(lambda output: made.log_prob(tf.constant(x), output), output)
    assert np.isfinite(value).all() and np.isfinite(slope).all()
    if distribution is visible.QuantizedNormal:
        assert np.all(value <= 0), "the mass of a level is at most 1"


@given(codes=numbers((4, Z), 1e30), prior=numbers((4, Z), 10), order=st.permutations(range(4)))
def test_the_discrepancy_of_codes_is_symmetric_and_has_no_order(codes, prior, order):
    # The kernel lies in (0, 7], so that the estimate lies within twice that.
    value, slopes = value_and_slopes(divergences.mmd, codes, prior)
    assert abs(value) <= 14 and all(np.isfinite(slope).all() for slope in slopes)
    assert value == pytest.approx(float(divergences.mmd(tf.constant(prior), tf.constant(codes))), abs=1e-5)
    assert value == pytest.approx(float(divergences.mmd(tf.constant(codes[list(order)]), tf.constant(prior))), abs=1e-5)


@given(mean=numbers((B, Z), 1e15), log_stddev=numbers((B, Z), 40))
def test_the_analytic_divergence_is_not_negative(mean, log_stddev):
    def divergence(mean, log_stddev):
        return divergences.analytic_kl(DiagonalGaussian(mean, log_stddev), mean)

    value, slopes = value_and_slopes(divergence, mean, log_stddev)
    assert np.all(value >= -1e-5) and np.isfinite(value).all() and all(np.isfinite(slope).all() for slope in slopes)
    np.testing.assert_array_equal(divergence(tf.zeros([B, Z]), tf.zeros([B, Z])), np.zeros(B))


@given(x=numbers((B, Z), 10), weight=numbers((Z,), 1e15), epsilon=st.floats(0, 1, width=32))
def test_the_gradient_penalty_of_a_linear_critic(x, weight, epsilon):
    # The slope of D(x) = w x is w everywhere, and the penalty (|w| - 1)^2; where w = 0 the root's slope would not be.
    with tf.GradientTape() as tape:
        w = tf.Variable(weight)
        critic = lambda x: tf.linalg.matvec(x, w)  # noqa: E731
        value = penalties.gradient_penalty(critic, tf.constant(x), tf.constant(-x), tf.fill([B], epsilon))
    norm = np.sqrt(np.maximum(np.sum(weight.astype(float) ** 2), 1e-12))
    np.testing.assert_allclose(value, np.full(B, (norm - 1) ** 2), rtol=1e-4, atol=1e-5)
    assert np.isfinite(tape.gradient(value, w)).all()
