"""What both conformance tests need to build any system on the ring."""

import pytest

from bms_tf.core import config, training


@pytest.fixture(scope="session")
def build():
    """`build(file, *params)`: the run of a gin file on top of the ring recipe."""

    def run(file: str, *params: str) -> training.Run:
        config.load(["gin/ring.gin", file], params)
        with config.one_line_errors():
            return training.Run()

    return run
