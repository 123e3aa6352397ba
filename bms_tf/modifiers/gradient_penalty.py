"""The gradient penalty of WGAN-GP (Gulrajani et al. 2017) on the discriminator of any system."""

import dataclasses
from functools import partial

import gin
import tensorflow as tf

from bms_tf.core.functional import frozen_statistics, has_batch_normalization
from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, System
from bms_tf.objectives import penalties


@gin.configurable
def gradient_penalty(system: System, phase: Phase, *, weight: float = gin.REQUIRED) -> Phase:
    """If the discriminator acts in `phase`, adds the term discriminator/gradient_penalty, `weight` times eq. 3.

    The fakes are samples G(z), z ~ p(z).

    Args:
        system: the system of the phase.
        phase: it stays as it is if the discriminator does not act in it.
        weight: the weight of the penalty, positive.

    Raises:
        ValueError: for a weight that is not positive, and for a system without a discriminator of single examples of
            data, or with batch normalization in it, under which an example has no slope of its own.
    """
    if "discriminate" not in system.offers or has_batch_normalization(system.discriminator):
        raise ValueError(
            "gradient_penalty needs a discriminator of single examples of data, without batch normalization; "
            f"{type(system).__name__} has {sorted(system.networks)}"
        )
    if not weight > 0:
        raise ValueError(f"gradient_penalty.weight is {weight}; it must be positive")

    def losses(x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        losses, aux = phase.losses(x, key)
        if "discriminator" not in losses:
            return losses, aux
        with frozen_statistics(system.generator, system.discriminator):
            penalty = penalties.gradient_penalty(
                partial(system.discriminate, training=True),
                x,
                system.prior_samples(x, key),
                key.uniform("interpolation", (x.shape[0],)),
            )
        terms = {**losses["discriminator"], "gradient_penalty": weight * penalty}
        return {**losses, "discriminator": terms}, aux

    return dataclasses.replace(phase, losses=losses)
