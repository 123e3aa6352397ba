"""The runs whose code spaces are compared: gin can read them, and T alone differs between those of BMS-VAE-GAN."""

from pathlib import Path

import gin
import pytest
from absl.testing import flagsaver

from bms_tf.core import config, training  # noqa: F401, which registers `train`

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study(script):
    return script("code_space")


@pytest.mark.parametrize("data", ["ring", "grid"])
@pytest.mark.parametrize("paper", [False, True])
def test_gin_reads_them(study, data, paper, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    seen = {}
    with flagsaver.flagsaver(data=data, paper=paper):
        for method in study.METHODS:
            config.load(*study.settings(method))
            seen[method] = (gin.query_parameter("train.system").selector, config.as_text())
        folders = {str(study.folder(method)) for method in study.METHODS}
    assert len(folders) == len(study.METHODS)
    systems = [selector.split(".")[-1] for selector, _ in seen.values()]
    assert systems == [*["WAE"] * 2, *["BMSVAEGAN"] * 4]
    one, ten, thirty = (seen[f"BMS-VAE-GAN, T = {T}"][1].splitlines() for T in (1, 10, 30))
    assert set(one) ^ set(ten) == {"BMSVAEGAN.T = 1", "BMSVAEGAN.T = 10"}
    assert set(ten) ^ set(thirty) == {"BMSVAEGAN.T = 10", "BMSVAEGAN.T = 30"}
    loss = "@Hinge()" if paper else "@RelativisticPairing()"
    assert f"BMSVAEGAN.discriminator_loss = {loss}" in ten
