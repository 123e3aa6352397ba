"""One file per paper. The objectives that a gin file may choose among are registered here."""

import gin

from bms_tf.objectives import adversarial, best_of_many, divergences, likelihoods, visible

for _objective in (
    adversarial.cross_entropy_fake,
    adversarial.Hinge,
    adversarial.CrossEntropy,
    adversarial.NonSaturating,
    adversarial.RelativisticPairing,
    best_of_many.BestOfMany,
    best_of_many.LeastRealistic,
    best_of_many.Mean,
    best_of_many.LogMeanExp,
    best_of_many.Naive,
    best_of_many.WinnersOnly,
    divergences.analytic_kl,
    divergences.monte_carlo_kl,
    divergences.empirical_kl,
    divergences.mmd,
    likelihoods.log_gaussian,
    likelihoods.log_laplace,
    visible.Bernoulli,
    visible.Gaussian,
    visible.Laplace,
    visible.QuantizedNormal,
    visible.Categorical,
):
    gin.external_configurable(_objective, module="bms_tf.objectives")
