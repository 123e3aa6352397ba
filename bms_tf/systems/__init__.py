"""One file per paper. The objectives that a gin file may choose among are registered here."""

from typing import TYPE_CHECKING

import gin

from bms_tf.core import lazy
from bms_tf.objectives import adversarial, best_of_many, divergences, likelihoods, visible

if TYPE_CHECKING:
    from bms_tf.systems.aae import AAE
    from bms_tf.systems.age import AGE
    from bms_tf.systems.ali import ALI
    from bms_tf.systems.alpha_gan import AlphaGAN
    from bms_tf.systems.avb import AVB
    from bms_tf.systems.began import BEGAN
    from bms_tf.systems.bms_vae_gan import BMSVAEGAN
    from bms_tf.systems.bw_gan import BWGAN
    from bms_tf.systems.dist_gan import DistGAN
    from bms_tf.systems.gan import GAN
    from bms_tf.systems.gdpp_gan import GDPPGAN
    from bms_tf.systems.md_gan import MDGAN
    from bms_tf.systems.unrolled_gan import UnrolledGAN
    from bms_tf.systems.vae import VAE
    from bms_tf.systems.vae_gan import VAEGAN
    from bms_tf.systems.veegan import VEEGAN
    from bms_tf.systems.wae import WAE
    from bms_tf.systems.wgan_gp import WGANGP

__all__ = [
    "AAE",
    "AGE",
    "ALI",
    "AVB",
    "AlphaGAN",
    "BEGAN",
    "BMSVAEGAN",
    "BWGAN",
    "DistGAN",
    "GAN",
    "GDPPGAN",
    "MDGAN",
    "UnrolledGAN",
    "VAE",
    "VAEGAN",
    "VEEGAN",
    "WAE",
    "WGANGP",
]

lazy.attach(__name__)

for _objective in (
    adversarial.cross_entropy_fake,
    adversarial.Hinge,
    adversarial.CrossEntropy,
    adversarial.NonSaturating,
    adversarial.RelativisticPairing,
    best_of_many.Annealed,
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
