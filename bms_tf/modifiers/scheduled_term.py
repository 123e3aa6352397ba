"""A term of the loss whose weight changes over a run, in any system: annealing."""

import dataclasses
from collections.abc import Callable

import gin
import tensorflow as tf

from bms_tf.core.random import Key
from bms_tf.core.system import Aux, Losses, Phase, Schedule, System


@gin.configurable
def scheduled_term(
    system: System,
    phase: Phase,
    *,
    term: str = gin.REQUIRED,
    schedule: Callable[[float], Schedule] = gin.REQUIRED,
) -> Phase:
    """Multiplies one term of a player's loss in `phase` by a schedule (ours).

    Args:
        system: the system of the phase.
        phase: it stays as it is if the player does not act in it.
        term: its name in the log, such as "autoencoder/reconstruction". The log has the multiplied value.
        schedule: makes a schedule of generator updates that starts from 1.

    Raises:
        ValueError: if the system does not have the player, or the player acts but does not have the term.
    """
    player, _, name = term.partition("/")
    if player not in system.players:
        raise ValueError(f"scheduled_term.term is {term!r}; the players are {', '.join(system.players)}")
    weight = schedule(1.0)

    def losses(x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        losses, aux = phase.losses(x, key)
        if player not in losses:
            return losses, aux
        terms = dict(losses[player])
        if name not in terms:
            raise ValueError(f"scheduled_term.term is {term!r}; in phase {phase.name} there are {', '.join(terms)}")
        terms[name] = weight(system.generator_updates_done) * terms[name]
        return {**losses, player: terms}, aux

    return dataclasses.replace(phase, losses=losses)
