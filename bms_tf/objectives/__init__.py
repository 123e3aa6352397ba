"""Losses as pure functions: tensors in, per-example tensors out. Those exported here are for gin files."""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from bms_tf.objectives.adversarial import (
        CrossEntropy,
        Hinge,
        NonSaturating,
        RelativisticPairing,
        cross_entropy_fake,
    )
    from bms_tf.objectives.best_of_many import (
        Annealed,
        BestOfMany,
        LeastRealistic,
        LogMeanExp,
        Mean,
        Naive,
        WinnersOnly,
    )
    from bms_tf.objectives.divergences import analytic_kl, empirical_kl, mmd, monte_carlo_kl
    from bms_tf.objectives.likelihoods import log_gaussian, log_laplace
    from bms_tf.objectives.visible import Bernoulli, Categorical, Gaussian, Laplace, QuantizedNormal

__all__ = [
    "Annealed",
    "Bernoulli",
    "BestOfMany",
    "Categorical",
    "CrossEntropy",
    "Gaussian",
    "Hinge",
    "Laplace",
    "LeastRealistic",
    "LogMeanExp",
    "Mean",
    "Naive",
    "NonSaturating",
    "QuantizedNormal",
    "RelativisticPairing",
    "WinnersOnly",
    "analytic_kl",
    "cross_entropy_fake",
    "empirical_kl",
    "log_gaussian",
    "log_laplace",
    "mmd",
    "monte_carlo_kl",
]

lazy.attach(__name__)
