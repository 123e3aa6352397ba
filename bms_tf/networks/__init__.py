"""Networks and the layers they share."""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from bms_tf.networks.color_mnist import color_mnist_discriminator, color_mnist_encoder, color_mnist_generator
    from bms_tf.networks.dcgan import dcgan_discriminator, dcgan_encoder, dcgan_generator, dcgan_trunk
    from bms_tf.networks.flows import real_nvp
    from bms_tf.networks.layers import (
        Dropout,
        SpectralNormalization,
        addons_spectral_normalization,
        batch_normalization,
        bounded,
        normal_weights,
        orthogonal_weights,
        spectral_normalization,
        synchronized_batch_normalization,
        wrap,
    )
    from bms_tf.networks.mlp import mlp
    from bms_tf.networks.packing import packed
    from bms_tf.networks.posteriors import (
        DeterministicEncoder,
        Encoder,
        GaussianEncoder,
        NoiseFedEncoder,
        RealNVPEncoder,
        SphericalEncoder,
        UnitGaussianEncoder,
    )
    from bms_tf.networks.resnet import resnet_discriminator, resnet_generator
    from bms_tf.networks.standard_cnn import standard_cnn_discriminator, standard_cnn_generator
    from bms_tf.networks.vgg import vgg

__all__ = [
    "DeterministicEncoder",
    "Dropout",
    "Encoder",
    "GaussianEncoder",
    "NoiseFedEncoder",
    "RealNVPEncoder",
    "SpectralNormalization",
    "SphericalEncoder",
    "UnitGaussianEncoder",
    "addons_spectral_normalization",
    "batch_normalization",
    "bounded",
    "color_mnist_discriminator",
    "color_mnist_encoder",
    "color_mnist_generator",
    "dcgan_discriminator",
    "dcgan_encoder",
    "dcgan_generator",
    "dcgan_trunk",
    "mlp",
    "normal_weights",
    "orthogonal_weights",
    "packed",
    "real_nvp",
    "resnet_discriminator",
    "resnet_generator",
    "spectral_normalization",
    "standard_cnn_discriminator",
    "standard_cnn_generator",
    "synchronized_batch_normalization",
    "vgg",
    "wrap",
]

lazy.attach(__name__)
