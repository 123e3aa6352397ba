"""What both conformance tests need to build any system on the ring."""

import re

import pytest
from PIL import Image

from bms_tf.core import config, errors, training


@pytest.fixture(scope="session")
def build():
    """`build(file, *params)`: the run of a gin file on top of the ring recipe."""

    def run(file: str, *params: str) -> training.Run:
        config.load(["gin/ring.gin", file], params)
        with errors.in_one_line():
            return training.Run()

    return run


@pytest.fixture(scope="session")
def check_dry_run():
    """`check_dry_run(run)`: it shows each network by its name, and a number for each term of the phases that act.

    The numbers are returned.
    """

    def check(run: training.Run) -> list[float]:
        text = run.describe()
        for name in run.system.networks:
            assert f"\n{name}\n" in text
        active = [phase.name for phase in run.system._phases if phase.active(0)]
        terms = [term for name in active for term in run.system._terms[name]]
        losses = re.findall(r"(\w+/\w+) ([-\d.]+(?:e[-+]\d+)?)(?:,|$)", text.splitlines()[-1])
        assert [term for term, _ in losses] == terms
        return [float(loss) for _, loss in losses]

    return check


@pytest.fixture(scope="session")
def stored(tmp_path_factory, tfds_dir):
    """`stored(pipelines)`: the parameters that show the pipelines of these names their data on disk."""
    pictures = tmp_path_factory.mktemp("pictures")
    for level in range(8):
        Image.new("RGB", (40, 36), (level, 2 * level, 3 * level)).save(pictures / f"{level}.png")

    on_disk = [f"prepared.data_dir = '{tfds_dir}'", "prepared.in_memory = False"]
    settings = {
        "image_folder": [f"image_folder.folder = '{pictures}'"],
        "celeb_a": [*on_disk, "celeb_a.held_out = 4"],
        "cifar10": [*on_disk, "cifar10.held_out = 4"],
        "mnist": [*on_disk, "mnist.held_out = 4"],
        "color_mnist": [*on_disk, "color_mnist.held_out = 4"],
        "stacked_mnist": ["stacked_mnist.digits_held_out = 4"],
    }
    return lambda pipelines: [param for name in sorted(pipelines & settings.keys()) for param in settings[name]]
