"""Optimizers and learning-rate schedules, as gin names them: one optimizer per player, built in the player's scope."""

from collections.abc import Callable

import gin

from bms_tf.core.keras import keras

Schedule = keras.optimizers.schedules.LearningRateSchedule


@gin.configurable
def adam(
    *,
    learning_rate: float = gin.REQUIRED,
    beta_1: float = gin.REQUIRED,
    beta_2: float = gin.REQUIRED,
    schedule: Callable[[float], Schedule] | None = None,
    clipnorm: float | None = None,
) -> keras.optimizers.Optimizer:
    """Adam (Kingma and Ba 2015). `schedule` makes a schedule of the model's steps from the rate it starts with.

    Raises ValueError for a value out of range.
    """
    if not learning_rate > 0:
        raise ValueError(f"adam.learning_rate is {learning_rate}; it must be positive")
    for name, beta in {"beta_1": beta_1, "beta_2": beta_2}.items():
        if not 0 <= beta < 1:
            raise ValueError(f"adam.{name} is {beta}; it must lie in [0, 1)")
    if clipnorm is not None and not clipnorm > 0:
        raise ValueError(f"adam.clipnorm is {clipnorm}; it must be positive, or None for no clipping")
    rate = learning_rate if schedule is None else schedule(learning_rate)
    return keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2, global_clipnorm=clipnorm)


def _check_horizon(horizon: int):
    if horizon < 1:
        raise ValueError(f"the schedule's horizon is {horizon} steps; it must be at least 1")


@gin.configurable
def linear_decay(learning_rate: float, *, horizon: int = gin.REQUIRED) -> Schedule:
    """From `learning_rate` to 0 on a line over `horizon` steps of the model."""
    _check_horizon(horizon)
    return keras.optimizers.schedules.PolynomialDecay(learning_rate, decay_steps=horizon, end_learning_rate=0.0)


@gin.configurable
def cosine_decay(learning_rate: float, *, horizon: int = gin.REQUIRED) -> Schedule:
    """From `learning_rate` to 0 on half a cosine over `horizon` steps of the model (Loshchilov and Hutter 2017)."""
    _check_horizon(horizon)
    return keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=horizon)
