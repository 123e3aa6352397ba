"""Image networks: parameters counted by hand, shapes, ranges, and the sizes that they cannot make."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.networks import color_mnist, dcgan, resnet, roles, standard_cnn
from bms_tf.networks.layers import batch_normalization, spectral_normalization
from bms_tf.networks.mlp import mlp

BN = {"normalization": batch_normalization}


def conv(kernel, inputs, filters, bias=1):
    return (kernel * kernel * inputs + bias) * filters


@pytest.mark.parametrize(
    ("network", "shapes", "options", "parameters"),
    [
        # DCGAN at 64: 100 -> 4 x 4 x 512 -> 256 -> 128 -> 64 -> 3.
        (
            dcgan.dcgan_generator,
            ((100,), (64, 64, 3)),
            {},
            101 * 8192 + conv(4, 512, 256) + conv(4, 256, 128) + conv(4, 128, 64) + conv(4, 64, 3),
        ),
        # A normalization has four vectors, and the layer before it no bias. Those of the dense layer are of channels.
        (
            dcgan.dcgan_generator,
            ((100,), (32, 32, 3)),
            BN,
            100 * 4096 + 4 * 256 + conv(4, 256, 128, 0) + 4 * 128 + conv(4, 128, 64, 0) + 4 * 64 + conv(4, 64, 3),
        ),
        # 28 pixels: 7 x 7 x 128 -> 64 -> 1. 128 pixels: a map more.
        (dcgan.dcgan_generator, ((10,), (28, 28, 1)), {}, 11 * 6272 + conv(4, 128, 64) + conv(4, 64, 1)),
        (
            dcgan.dcgan_discriminator,
            ((128, 128, 3), ()),
            {"width": 8},
            conv(4, 3, 8) + conv(4, 8, 16) + conv(4, 16, 32) + conv(4, 32, 64) + conv(4, 64, 128) + 4 * 4 * 128 + 1,
        ),
        # The first convolution is not normalized; u of spectral normalization has an entry for each output.
        (
            dcgan.dcgan_discriminator,
            ((32, 32, 3), ()),
            BN,
            conv(4, 3, 64) + conv(4, 64, 128, 0) + 4 * 128 + conv(4, 128, 256, 0) + 4 * 256 + 4 * 4 * 256 + 1,
        ),
        (
            dcgan.dcgan_discriminator,
            ((16, 16, 3), ()),
            {"wrapper": spectral_normalization},
            conv(4, 3, 64) + conv(4, 64, 128) + 4 * 4 * 128 + 1 + 64 + 128 + 1,
        ),
        (dcgan.dcgan_encoder, ((8, 8, 3), (20,)), {}, conv(4, 3, 64) + (4 * 4 * 64 + 1) * 20),
        # SN-GAN's standard CNN, table 3: dense to 4 x 4 x 512, then 256, 128, 64; last a 3 x 3 convolution.
        (
            standard_cnn.standard_cnn_generator,
            ((128,), (32, 32, 3)),
            BN,
            129 * 8192 + sum(conv(4, a, b, 0) + 4 * b for a, b in ((512, 256), (256, 128), (128, 64))) + conv(3, 64, 3),
        ),
        (
            standard_cnn.standard_cnn_discriminator,
            ((32, 32, 3), ()),
            {},
            conv(3, 3, 64)
            + conv(4, 64, 64)
            + conv(3, 64, 128)
            + conv(4, 128, 128)
            + conv(3, 128, 256)
            + conv(4, 256, 256)
            + conv(3, 256, 512)
            + 4 * 4 * 512
            + 1,
        ),
        # Its ResNet, table 4. A generator's block: 3 x 3, 3 x 3 and 1 x 1, all 256 to 256, and two normalizations.
        (
            resnet.resnet_generator,
            ((128,), (32, 32, 3)),
            BN,
            129 * 4096 + 3 * (2 * conv(3, 256, 256) + conv(1, 256, 256) + 2 * 4 * 256) + 4 * 256 + conv(3, 256, 3),
        ),
        # The first block starts from 3 channels; only the two that halve have a convolution in the shortcut.
        (
            resnet.resnet_discriminator,
            ((32, 32, 3), ()),
            {},
            conv(3, 3, 128) + 7 * conv(3, 128, 128) + conv(1, 3, 128) + conv(1, 128, 128) + 129,
        ),
        # Rosca et al., tables 3 and 4: five convolutions of 5 x 5, and the same size again twice from 7 x 7.
        (
            color_mnist.color_mnist_generator,
            ((50,), (28, 28, 3)),
            {},
            51 * 3136 + conv(5, 64, 64) + conv(5, 64, 32) + conv(5, 32, 3),
        ),
        (
            color_mnist.color_mnist_discriminator,
            ((28, 28, 3), ()),
            {"dropout": 0.8},
            conv(5, 3, 8) + conv(5, 8, 16) + conv(5, 16, 32) + conv(5, 32, 64) + conv(5, 64, 64) + 4 * 4 * 64 + 1,
        ),
        (
            color_mnist.color_mnist_encoder,
            ((28, 28, 3), (100,)),
            {},
            conv(5, 3, 32) + conv(5, 32, 64) + conv(5, 64, 64) + 3137 * 100,
        ),
        # Code discriminators: three layers of 750 and of 1000.
        (mlp, ((100,), ()), {"hidden": (750,) * 3}, 101 * 750 + 2 * 751 * 750 + 751),
        (mlp, ((100,), ()), {"hidden": (1000,) * 3}, 101 * 1000 + 2 * 1001 * 1000 + 1001),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_shapes_and_parameters(network, shapes, options, parameters):
    model = network(input_shape=shapes[0], output_shape=shapes[1], **options)
    assert model.count_params() == parameters
    assert model.output_shape == (None, *shapes[1])
    outputs = model(tf.random.stateless_normal([2, *shapes[0]], [0, 1]))
    assert outputs.shape == (2, *shapes[1])
    if "generator" in network.__name__:
        assert np.max(np.abs(outputs)) <= 1


@pytest.mark.parametrize(
    ("generator", "discriminator", "sizes", "bad"),
    [
        (dcgan.dcgan_generator, dcgan.dcgan_discriminator, (8, 16, 28, 32, 64, 128), 48),
        (standard_cnn.standard_cnn_generator, standard_cnn.standard_cnn_discriminator, (32, 48, 64), 28),
        (resnet.resnet_generator, resnet.resnet_discriminator, (32,), 64),
    ],
)
def test_sizes(generator, discriminator, sizes, bad):
    for size in sizes:
        assert generator(input_shape=(2,), output_shape=(size, size, 1), width=2).output_shape == (None, size, size, 1)
        assert discriminator(input_shape=(size, size, 1), output_shape=(), width=2).output_shape == (None,)
    for build, shapes in ((generator, ((2,), (bad, bad, 1))), (discriminator, ((bad, bad, 1), ()))):
        with pytest.raises(ValueError, match=f"cannot make images of {bad} pixels"):
            build(input_shape=shapes[0], output_shape=shapes[1])
    with pytest.raises(ValueError, match=r"works on square images \[H, H, C\]; it was given \(32, 16, 3\)"):
        discriminator(input_shape=(32, 16, 3), output_shape=())


def test_the_color_mnist_networks_make_28_pixels():
    for build, shapes in (
        (color_mnist.color_mnist_generator, ((2,), (32, 32, 3))),
        (color_mnist.color_mnist_discriminator, ((32, 32, 3), ())),
        (color_mnist.color_mnist_encoder, ((32, 32, 3), (2,))),
    ):
        with pytest.raises(ValueError, match="cannot make images of 32 pixels; allowed is 28"):
            build(input_shape=shapes[0], output_shape=shapes[1])


def test_a_resnet_by_hand():
    # All kernels zero, biases 1 but for the last layer: a block adds 1 (its last bias) and, where it halves, 1 for the
    # shortcut, whose kernel takes nothing else on. So 2, then 2 again, 3, 4; the sum over 8 x 8 places is 256 for each
    # of two channels, and the last layer's weights of 1 make 512.
    network = resnet.resnet_discriminator(input_shape=(32, 32, 1), output_shape=(), width=2)
    for variable in network.trainable_variables:
        variable.assign(tf.ones_like(variable) if "bias" in variable.name else tf.zeros_like(variable))
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)][0]
    dense.set_weights([np.ones((2, 1)), np.zeros(1)])
    np.testing.assert_allclose(network(tf.zeros([1, 32, 32, 1])), [512.0])


@pytest.fixture
def shapes():
    gin.parse_config(["shapes.data_shape = (32, 32, 3)", "shapes.code_size = 5"])


def test_veegans_joint_discriminators(shapes):
    trunk = conv(4, 3, 64) + conv(4, 64, 128) + conv(4, 128, 256)
    # VEEGAN, table 3 (a map fewer at 32 pixels): 4 x 4 x 256 features and 5 of the code, then 512.
    network = roles.joint_discriminator(trunk=dcgan.dcgan_trunk, network=lambda **shapes: mlp(**shapes, hidden=(512,)))
    assert network.count_params() == trunk + (4096 + 5 + 1) * 512 + 513
    assert network([tf.zeros([3, 32, 32, 3]), tf.zeros([3, 5])]).shape == (3,)
    # Rosca et al., table 6: 256 channels and the code's 1000 at each of 4 x 4 places; 3 x 3 leaves 2 x 2, 2 x 2 one.
    network = roles.convolutional_joint_discriminator(
        trunk=dcgan.dcgan_trunk, code_trunk=lambda **shapes: mlp(**shapes, hidden=(1000, 1000))
    )
    codes = 6 * 1000 + 2 * 1001 * 1000
    assert network.count_params() == trunk + codes + conv(3, 1256, 512) + conv(2, 512, 512) + 513
    logits = network([tf.zeros([3, 32, 32, 3]), tf.random.stateless_normal([3, 5], [0, 1])])
    assert logits.shape == (3,) and len(set(logits.numpy())) == 3  # the code is seen
