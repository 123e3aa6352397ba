"""Metrics, one file each: `metric(samples, reference, *, seed, ...) -> dict of floats`.

They know nothing of systems or pipelines. With real data as samples, the same function gives the score to compare with.
"""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from bms_tf.metrics.birthday import birthday
    from bms_tf.metrics.classifier import class_scores, digit_classifier
    from bms_tf.metrics.density_models import (
        autoregressive_lstm,
        density_model_kl,
        gaussian_mixture,
        masked_autoregressive_flow,
    )
    from bms_tf.metrics.density_ratio import density_ratio_kl
    from bms_tf.metrics.elbo import bernoulli_log_likelihood, elbo, gaussian_log_likelihood, laplace_log_likelihood
    from bms_tf.metrics.encoder_scores import encoder_scores
    from bms_tf.metrics.energy import energy, energy_distance
    from bms_tf.metrics.frechet import frechet, frechet_distance
    from bms_tf.metrics.high_dim import high_dim_scores
    from bms_tf.metrics.inception_score import inception_score
    from bms_tf.metrics.ivom import ivom
    from bms_tf.metrics.kid import kid
    from bms_tf.metrics.low_posterior import low_posterior
    from bms_tf.metrics.lpips import lpips_diversity
    from bms_tf.metrics.marginal_kl import code_moments, marginal_kl
    from bms_tf.metrics.mixture import mixture_scores
    from bms_tf.metrics.ms_ssim import ms_ssim_diversity
    from bms_tf.metrics.ndb import ndb
    from bms_tf.metrics.pixels import pixel_scores
    from bms_tf.metrics.prdc import density_coverage, prdc, precision_recall
    from bms_tf.metrics.sliced_wasserstein import feature_sliced_wasserstein, sliced_wasserstein
    from bms_tf.metrics.stacked import stacked_scores
    from bms_tf.metrics.training_neighbors import training_neighbors
    from bms_tf.metrics.vendi import vendi
    from bms_tf.metrics.wasserstein_critic import wasserstein_critic

__all__ = [
    "autoregressive_lstm",
    "bernoulli_log_likelihood",
    "birthday",
    "class_scores",
    "code_moments",
    "density_coverage",
    "density_model_kl",
    "density_ratio_kl",
    "digit_classifier",
    "elbo",
    "encoder_scores",
    "energy",
    "energy_distance",
    "feature_sliced_wasserstein",
    "frechet",
    "frechet_distance",
    "gaussian_log_likelihood",
    "gaussian_mixture",
    "high_dim_scores",
    "inception_score",
    "ivom",
    "kid",
    "laplace_log_likelihood",
    "low_posterior",
    "lpips_diversity",
    "marginal_kl",
    "masked_autoregressive_flow",
    "mixture_scores",
    "ms_ssim_diversity",
    "ndb",
    "pixel_scores",
    "prdc",
    "precision_recall",
    "sliced_wasserstein",
    "stacked_scores",
    "training_neighbors",
    "vendi",
    "wasserstein_critic",
]

lazy.attach(__name__)
