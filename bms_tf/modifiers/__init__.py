"""Modifiers change the phases of any system that they fit, one file each."""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from bms_tf.modifiers.gradient_penalty import gradient_penalty
    from bms_tf.modifiers.scheduled_term import scheduled_term
    from bms_tf.modifiers.zero_centered_penalty import zero_centered_penalty

__all__ = [
    "gradient_penalty",
    "scheduled_term",
    "zero_centered_penalty",
]

lazy.attach(__name__)
