"""R1 and R2: zero-centered gradient penalties (Mescheder, Geiger, Nowozin 2018) on any discriminator of data."""

import dataclasses
from collections.abc import Callable

import gin
import tensorflow as tf

from bms_tf.core.functional import has_batch_normalization, watched_judgments
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, Schedule, System


@gin.configurable
def zero_centered_penalty(
    system: System,
    phase: Phase,
    *,
    r1: float = gin.REQUIRED,
    r2: float = gin.REQUIRED,
    schedule: Callable[[float], Schedule] | None = None,
) -> Phase:
    """If the discriminator acts in `phase`, adds two terms (Mescheder et al., eq. 9 and 10).

    | term | loss |
    | --- | --- |
    | discriminator/r1 | r1 / 2 times the squared norm of D's gradient at x, once for each kind of fakes |
    | discriminator/r2 | r2 / 2 times the same at the fakes, the sum over their kinds |

    The fakes are all that the phase itself shows to the discriminator beside x: samples and, in systems with an
    encoder, reconstructions. A loss of pairs shows x once for each kind of fakes, so that r1 = r2 is R3GAN's gamma.

    Args:
        system: the system of the phase.
        phase: it stays as it is if the discriminator does not act in it.
        r1: the weight of the first, not negative; 0 leaves the term out.
        r2: the weight of the second, not negative; 0 leaves the term out.
        schedule: makes a schedule of generator updates that starts from 1. It multiplies both weights.

    Raises:
        ValueError: if a weight is negative or not finite, or both are 0. Also if the system has no discriminator of
            single examples of data, or one with batch normalization.
    """
    for name, weight in {"r1": r1, "r2": r2}.items():
        if not 0 <= weight < float("inf"):
            raise ValueError(f"zero_centered_penalty.{name} is {weight}; it must be finite and not negative")
    if not r1 + r2:
        raise ValueError("zero_centered_penalty.r1 and r2 are 0; one must be positive")
    if "discriminate" not in system.offers or has_batch_normalization(system.discriminator):
        raise ValueError(
            "zero_centered_penalty needs a discriminator of single examples of data, without batch normalization; "
            f"{type(system).__name__} has {sorted(system.networks)}"
        )
    scale = None if schedule is None else schedule(1.0)

    def losses(x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        with tf.GradientTape(watch_accessed_variables=False) as tape, watched_judgments(system, tape) as judged:
            losses, aux = phase.losses(x, key)
        if "discriminator" not in losses:
            return losses, aux
        gradients = tape.gradient([logits for *_, logits in judged], [seen for _, seen, _ in judged])
        real, fakes = [], []
        for (data, *_), gradient in zip(judged, gradients):
            (real if data is x else fakes).append(0.5 * tf.reduce_sum(gradient**2, axis=range(1, x.shape.rank)))
        if len(real) != 1:
            phase_name = f"{type(system).__name__}'s phase {phase.name}"
            raise ValueError(f"zero_centered_penalty: {phase_name} judges x {len(real)} times; it must do so once")
        weight = 1.0 if scale is None else scale(system.generator_updates_done)
        terms = dict(losses["discriminator"])
        if r1:
            terms["r1"] = weight * r1 * len(fakes) * real[0]
        if r2:
            terms["r2"] = weight * r2 * tf.add_n([tf.reduce_mean(penalty) for penalty in fakes])
        return {**losses, "discriminator": terms}, aux

    return dataclasses.replace(phase, losses=losses)
