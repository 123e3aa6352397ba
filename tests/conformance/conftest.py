"""What both conformance tests need to build any system on the ring."""

import pytest

from bms_tf.core import config, training

# What a system's file leaves to the recipe, where the ring recipe, which is BMS-VAE-GAN's, does not set it.
REQUIRED = {"gin/systems/alpha_gan.gin": ["AlphaGAN.encoder_lambda = 1.0", "AlphaGAN.generator_lambda = 1.0"]}


@pytest.fixture(scope="session")
def build():
    """`build(file, *params)`: the run of a gin file on top of the ring recipe."""

    def run(file: str, *params: str) -> training.Run:
        config.load(["gin/ring.gin", file], [*params, *REQUIRED.get(file, ())])
        with config.one_line_errors():
            return training.Run()

    return run
