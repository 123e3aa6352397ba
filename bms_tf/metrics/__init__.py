"""Metrics, one file each: `metric(samples, reference, *, seed, ...) -> dict of floats`.

They know nothing of systems or pipelines. The same function with real data as samples gives the score to compare with.
"""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from bms_tf.metrics.classifier import class_scores, digit_classifier
    from bms_tf.metrics.energy import energy_distance
    from bms_tf.metrics.frechet import frechet_distance
    from bms_tf.metrics.high_dim import high_dim_scores
    from bms_tf.metrics.mixture import mixture_scores
    from bms_tf.metrics.pixels import pixel_scores
    from bms_tf.metrics.stacked import stacked_scores

__all__ = [
    "class_scores",
    "digit_classifier",
    "energy_distance",
    "frechet_distance",
    "high_dim_scores",
    "mixture_scores",
    "pixel_scores",
    "stacked_scores",
]

lazy.attach(__name__)
