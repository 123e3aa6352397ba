"""The optimizers and schedules that gin names: their numbers, and clipping by the norm of a player's whole gradient."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core import optimizers


def adam(**changed):
    return optimizers.adam(**{"learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.0, **changed})


def test_adam_takes_its_settings():
    made = optimizers.adam(learning_rate=0.01, beta_1=0.5, beta_2=0.9, clipnorm=2.0)
    assert (float(made.learning_rate), made.beta_1, made.beta_2) == (pytest.approx(0.01), 0.5, 0.9)
    assert (made.global_clipnorm, made.clipnorm, made.clipvalue) == (2.0, None, None)


def test_clipping_is_by_the_norm_of_all_of_a_players_gradients_together():
    # Gradients (3, 0) and (0, 4) have the norm 5 together. Clipped to 1 they are (.6, 0) and (0, .8), in their
    # proportion; clipped each by itself they would be (1, 0) and (0, 1). Adam's first moment is a tenth of them.
    made = adam(clipnorm=1.0)
    variables = [tf.Variable([1.0, 1.0]), tf.Variable([1.0, 1.0])]
    made.build(variables)
    made.apply_gradients(zip([tf.constant([3.0, 0.0]), tf.constant([0.0, 4.0])], variables))
    first_moments = [v.numpy() for v in made.variables if v.name.startswith("m/")]
    np.testing.assert_allclose(first_moments, [[0.06, 0.0], [0.0, 0.08]], rtol=1e-5)


def test_a_small_gradient_is_not_clipped():
    made = adam(clipnorm=1.0)
    variable = tf.Variable([1.0])
    made.build([variable])
    made.apply_gradients([(tf.constant([0.5]), variable)])
    np.testing.assert_allclose([v.numpy() for v in made.variables if v.name.startswith("m/")], [[0.05]], rtol=1e-5)


def test_betas_may_be_whole_numbers():
    # Without memory a step is the rate times g / |g|.
    made, variable = adam(learning_rate=0.25, beta_1=0, beta_2=0), tf.Variable([1.0, 1.0])
    made.build([variable])
    tf.function(lambda: made.apply_gradients([(tf.constant([0.5, -3.0]), variable)]))()  # a graph is strict about types
    np.testing.assert_allclose(variable.numpy(), [0.75, 1.25], rtol=1e-5)


@pytest.mark.parametrize("schedule", [None, partial(optimizers.linear_decay, horizon=10)])
def test_a_rate_may_be_a_whole_number(schedule):
    # The first step of Adam with betas of 0 moves by the whole rate, here by 3.
    made, variable = adam(learning_rate=3, beta_1=0, schedule=schedule), tf.Variable([5.0])
    made.apply_gradients([(tf.constant([2.0]), variable)])
    np.testing.assert_allclose(variable.numpy(), [2.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        # From .2 to 0 on a line, and on half a cosine: .2 (1 + cos(pi n / 10)) / 2.
        (optimizers.linear_decay, [0.2, 0.1, 0.0, 0.0]),
        (optimizers.cosine_decay, [0.2, 0.1, 0.0, 0.0]),
        # All of it for ten updates, those after 0, 1, .. 9, then nothing.
        (optimizers.step_decay, [0.2, 0.2, 0.0, 0.0]),
    ],
)
def test_schedules(schedule, values):
    made = schedule(0.2, horizon=10)
    np.testing.assert_allclose([float(made(n)) for n in (0, 5, 10, 12)], values, atol=1e-7)
    # From .2 to a tenth of it: halfway .11.
    some_is_left = optimizers.linear_decay(0.2, horizon=10, end=0.1)
    np.testing.assert_allclose([float(some_is_left(n)) for n in (0, 5, 10, 12)], [0.2, 0.11, 0.02, 0.02], rtol=1e-6)
    a_step = optimizers.step_decay(0.2, horizon=10, end=0.1)
    np.testing.assert_allclose([float(a_step(tf.constant(n, tf.int64))) for n in (9, 10)], [0.2, 0.02], rtol=1e-6)
    assert float(optimizers.cosine_decay(0.2, horizon=10)(2)) == pytest.approx(0.1 * (1 + np.cos(0.2 * np.pi)))


def test_a_schedule_of_several_lines():
    # From .2 to half of it after 10, to a tenth of it after 30: halfway .15 and .2 * .3 = .06.
    made = optimizers.piecewise_linear(0.2, points={10: 0.5, 30: 0.1})
    updates = [tf.constant(n, tf.int64) for n in (0, 5, 10, 20, 30, 40)]
    np.testing.assert_allclose([float(made(n)) for n in updates], [0.2, 0.15, 0.1, 0.06, 0.02, 0.02], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: adam(learning_rate=0.0), "learning_rate is 0.0; it must be positive and finite"),
        (lambda: adam(learning_rate=float("inf")), "learning_rate is inf; it must be positive and finite"),
        (lambda: adam(beta_1=1.0), r"beta_1 is 1.0; it must lie in \[0, 1\)"),
        (lambda: adam(beta_2=-0.1), r"beta_2 is -0.1; it must lie in \[0, 1\)"),
        (lambda: adam(clipnorm=0.0), "clipnorm is 0.0; it must be positive and finite"),
        (lambda: optimizers.linear_decay(0.1, horizon=0), "horizon is 0 generator updates; it must be at least 1"),
        (lambda: optimizers.linear_decay(0.1, horizon=9, end=-0.1), "end is -0.1; it must be finite and not negative"),
        (lambda: optimizers.step_decay(0.1, horizon=9, end=float("inf")), "step_decay.end is inf; it must be finite"),
        (lambda: optimizers.piecewise_linear(0.1, points={}), "points is {}; generator updates must rise from 1 on"),
        (lambda: optimizers.piecewise_linear(0.1, points={9: 0.1, 5: 0.0}), "generator updates must rise from 1 on"),
        (
            lambda: optimizers.piecewise_linear(0.1, points={9: -1.0}),
            r"points\[9\] is -1.0; it must be finite and not negative",
        ),
        (lambda: optimizers.cosine_decay(0.1, horizon=-1), "horizon is -1 generator updates; it must be at least 1"),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()
