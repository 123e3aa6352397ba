"""Every shipped study can be read: its gin files and settings fit together, and so do the ways in which it scores."""

import re
import shlex
from pathlib import Path

import pytest

from bms_tf.core import config, gin_text, training
from bms_tf.core.system import System
from bms_tf.evaluation import registry
from bms_tf.studies import evaluating, table
from bms_tf.studies.study import load

ROOT = Path(__file__).parents[2]
STUDIES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "gin/studies").glob("*.gin"))
# Of each system on each kind of networks one, of all that studies put together.
BUILT = {
    "gin/studies/synthetic.gin": ("1200-D", ["GAN", "VEEGAN", "alpha-GAN", "R3GAN"]),
    "gin/studies/game.gin": ("grid", ["R3GAN", "BMS-VAE-GAN, T = 10, hinge with R1 and R2"]),
    "gin/studies/cifar10.gin": ("standard CNN", ["BW-GAN", "BMS-VAE-GAN, T = 10"]),
    "gin/studies/ivom.gin": ("CIFAR-10", ["ALI", "VEEGAN"]),
    "gin/studies/critic.gin": ("ColorMNIST", ["VAE", "VGH"]),
    "gin/studies/stacked_mnist.gin": ("stacked MNIST", ["PacDCGAN2", "R3GAN"]),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_can_be_read_and_scores_its_methods_alike(name):
    study = load(name)
    first = (ROOT / name).read_text().splitlines()
    assert first[1].startswith(f"#   python -m bms_tf.reproduce --study={Path(name).stem}")
    for data in study.data:
        texts = {method.name: study.recipe(data, method) for method in study.methods_on(data)}
        table.check_protocols(data, {method: table.protocol(text) for method, text in texts.items()})
        if "moving average" in study.protocol:
            settings = map(gin_text.values, texts.values())
            averages = {values.get(f"{values['train.system'].name}.ema") for values in settings}
            assert len(averages) == 1 and None not in averages, f"of the methods on {data}"
    for calls in study.evaluations.values():
        for flags in calls:
            assert set(evaluating.metrics(flags)) <= registry.listed().keys() and shlex.split(flags)
    assert not study.gpu or study.hours.keys() == study.data.keys()


# Of what is tuned the values of the papers, or of their authors' code.
SETTINGS_OF_PAPERS = [
    ("synthetic", "GDPP-GAN", "ring", {"adam.learning_rate": 1e-3, "GDPPGAN.magnitude_weight": 1e-4}),
    ("synthetic", "MD-GAN", "grid", {"adam.learning_rate": 1e-3, "discriminator/adam.learning_rate": 1e-3}),
    ("synthetic", "VEEGAN", "1200-D", {"VEEGAN.code_lambda": 1.0}),  # eq. 5 has no weights
    ("synthetic", "SN-GAN", "ring", {"discriminator/mlp.gain": 1.0}),  # W / sigma(W) and no more
    ("synthetic", "SN-GAN", "grid", {"discriminator/mlp.gain": 4.0}),  # of data over their scale of 4
    ("cifar10", "SN-GAN", "standard CNN", {"adam.learning_rate": 2e-4}),
]


@pytest.mark.parametrize(("name", "method", "data", "own"), SETTINGS_OF_PAPERS)
def test_a_papers_own_setting_is_among_the_trials(name, method, data, own):
    study = load(f"gin/studies/{name}.gin")
    trials = map(dict, study.settings(data, study.method(method)))
    assert study.method(method).paper[data] == own
    assert any(all(trial[key] == pytest.approx(value) for key, value in own.items()) for trial in trials)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), [(n, m) for n, (_, methods) in BUILT.items() for m in methods])
def test_what_a_study_puts_together_takes_a_step(name, method, stored, tmp_path):
    study, (data, _) = load(name), BUILT[name]
    path = tmp_path / "recipe.gin"
    path.write_text(study.recipe(data, study.method(method)))
    pipelines = set(re.findall(r"^import pipelines\.(\w+)$", path.read_text(), re.MULTILINE))
    config.load([str(path)], ["train.batch_size = 2", *stored(pipelines)])
    run = training.Run()
    assert isinstance(run.system, System)
    assert "one step:" in run.describe()
