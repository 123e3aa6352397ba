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


@pytest.mark.parametrize("data, wae, length", [("ring", 2, None), ("grid", 2, 8000), ("digits", 1, 700)])
@pytest.mark.parametrize("paper", [False, True])
def test_gin_reads_them(study, data, wae, length, paper, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    seen = {}
    with flagsaver.flagsaver(data=data, paper=paper, updates=length):
        methods = study.methods()
        for method in methods:
            files, params = study.settings(method)
            config.load(files, [f"{name} = {value}" for name, value in params.items()])
            seen[method] = (gin.query_parameter("train.system").selector, config.as_text())
        folders = {str(study.folder(method)) for method in methods}
    assert len(folders) == len(methods)
    systems = [selector.split(".")[-1] for selector, _ in seen.values()]
    assert systems == [*["WAE"] * wae, *["BMSVAEGAN"] * 4]
    one, ten, thirty = (seen[f"BMS-VAE-GAN, T = {T}"][1].splitlines() for T in (1, 10, 30))
    assert set(one) ^ set(ten) == {"BMSVAEGAN.T = 1", "BMSVAEGAN.T = 10"}
    assert set(ten) ^ set(thirty) == {"BMSVAEGAN.T = 10", "BMSVAEGAN.T = 30"}
    assert f"{study.LENGTH[data]} = {length or 15000}" in ten
    loss = "@Hinge()" if paper or data == "digits" else "@RelativisticPairing()"
    assert f"BMSVAEGAN.discriminator_loss = {loss}" in ten
