"""Optimizers and learning-rate schedules, as gin names them. Each player has an optimizer, built in its scope."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin
import tensorflow as tf

from bms_tf.core.keras import Adam, Schedule, keras


class FusedAdam(Adam):
    """Keras's Adam with one operation for each weight, not a dozen: their number limits small networks."""

    def begin(self):
        step = tf.cast(self.iterations + 1, tf.float32)
        # Not as a dictionary, which Keras would keep in every checkpoint.
        self._beta_1_power, self._beta_2_power = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        self._rate = tf.convert_to_tensor(self.learning_rate)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable):
        m, v = self.moments(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=self._beta_1_power,
            beta2_power=self._beta_2_power,
            lr=self._rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@gin.configurable
def adam(
    *,
    learning_rate: float = gin.REQUIRED,
    beta_1: float = gin.REQUIRED,
    beta_2: float = gin.REQUIRED,
    schedule: Callable[[float], Schedule] | None = None,
    clipnorm: float | None = None,
) -> keras.optimizers.Optimizer:
    """Adam (Kingma and Ba 2015). `schedule` makes a schedule of generator updates from the first learning rate.
    `clipnorm` limits the global norm of the gradient of all the player's weights together.

    Raises ValueError for a value out of range.
    """
    for name, value in {"learning_rate": learning_rate, "clipnorm": clipnorm}.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"adam.{name} is {value}; it must be positive and finite")
    for name, beta in {"beta_1": beta_1, "beta_2": beta_2}.items():
        if not 0 <= beta < 1:
            raise ValueError(f"adam.{name} is {beta}; it must lie in [0, 1)")
    # gin may say 0 or 1; neither the fused operation nor Keras's schedules take integers.
    rate = float(learning_rate) if schedule is None else schedule(float(learning_rate))
    return FusedAdam(rate, beta_1=float(beta_1), beta_2=float(beta_2), global_clipnorm=clipnorm)


def _check_horizon(horizon: int):
    if horizon < 1:
        raise ValueError(f"the schedule's horizon is {horizon} generator updates; it must be at least 1")


def _check_end(name: str, end: float):
    if not 0 <= end < math.inf:
        raise ValueError(f"{name} is {end}; it must be finite and not negative")


@gin.configurable
def linear_decay(learning_rate: float, *, horizon: int = gin.REQUIRED, end: float = 0.0) -> Schedule:
    """Falls linearly from `learning_rate` to `end` times it over `horizon` generator updates.

    Raises ValueError for a horizon under 1, and an end that is negative or not finite.
    """
    _check_horizon(horizon)
    _check_end("linear_decay.end", end)
    return keras.optimizers.schedules.PolynomialDecay(learning_rate, horizon, end_learning_rate=end * learning_rate)


@gin.configurable
def cosine_decay(learning_rate: float, *, horizon: int = gin.REQUIRED) -> Schedule:
    """Falls from `learning_rate` to 0 on half a cosine in `horizon` generator updates (Loshchilov and Hutter 2017)."""
    _check_horizon(horizon)
    return keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=horizon)


@gin.configurable
def step_decay(learning_rate: float, *, horizon: int = gin.REQUIRED, end: float = 0.0) -> Schedule:
    """`learning_rate` for `horizon` generator updates, then `end` times it.

    Raises ValueError for a horizon under 1, and an end that is negative or not finite.
    """
    _check_horizon(horizon)
    _check_end("step_decay.end", end)
    # Keras's schedule has the first value up to and at the boundary.
    return keras.optimizers.schedules.PiecewiseConstantDecay([horizon - 1], [learning_rate, end * learning_rate])


class _Lines(Schedule):
    def __init__(self, learning_rate: float, points: Sequence[tuple[int, float]]):
        self._rate, self._points = learning_rate, points

    def __call__(self, step: Any) -> tf.Tensor:
        # Each line adds its rise, as far as it has been walked.
        step, factor = tf.cast(step, tf.float32), tf.constant(1.0)
        for (start, first), (end, last) in itertools.pairwise([(0, 1.0), *self._points]):
            factor += (last - first) * tf.clip_by_value((step - start) / (end - start), 0.0, 1.0)
        return self._rate * factor


@gin.configurable
def piecewise_linear(learning_rate: float, *, points: Mapping[int, float] = gin.REQUIRED) -> Schedule:
    """On lines from `learning_rate` to `points[n]` times it after n generator updates, and constant behind the last.

    Raises ValueError for no points, numbers of updates that do not rise from 1 on, and factors that are negative or not
    finite.
    """
    if not points or min(points) < 1 or list(points) != sorted(points):
        raise ValueError(f"piecewise_linear.points is {points}; generator updates must rise from 1 on")
    for updates, factor in points.items():
        _check_end(f"piecewise_linear.points[{updates}]", factor)
    return _Lines(learning_rate, list(points.items()))
