"""Every gin file is found, read with nothing unknown, and takes a step with its own networks; none is left out."""

import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import bms_tf.systems
from bms_tf.core import config, training
from bms_tf.core.system import System
from bms_tf.tuning.search import Setting

ROOT = Path(__file__).parents[2]
FILES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gin").rglob("*.gin")}


def files(*folders):
    return sorted(name for name in FILES if name.rpartition("/")[0] in folders)


HEADLINE = files("gin")
AT_30 = [name for name in HEADLINE if "T = 30" in (ROOT / name).read_text()]  # which the papers, or we, also want
ON_RING = files("gin/modifiers", "gin/data")  # each is put on top of the ring recipe
FEATURES = files("gin/features")  # each names a network in whose features metrics compare
SYSTEMS = files("gin/systems")  # so is each of these, in test_systems.py
SWEEPS = files("gin/sweeps")  # each is checked with every recipe that its commands name
ON_CIFAR10 = ["gin/networks/resnet.gin"]  # networks that no recipe names
SMALL_BATCH = "train.batch_size = 4"  # the only thing that is not the recipe's own


def with_includes(name):
    yield name
    for included in re.findall(r"^include '(.+)'", (ROOT / name).read_text(), re.MULTILINE):
        beside = (Path(name).parent / included).as_posix()
        yield from with_includes(beside if beside in FILES else f"gin/{included}")


def pipelines(name):
    """The input pipelines that a gin file names, with its includes."""
    texts = "".join((ROOT / used).read_text() for used in with_includes(name))
    return set(re.findall(r"^import pipelines\.(\w+)$", texts, re.MULTILINE))


def check_steps(run, first):
    """Goes on from step `first` to the third: the losses are finite, and no player's kernel stays what it was."""
    kernels = [v for player in run.system.players for v in run.system.trainable(player) if v.shape.rank > 1]
    before = [kernel.numpy() for kernel in kernels]
    history = run.fit(first, 3)
    assert int(run.system.step) == 3
    assert np.isfinite(list(history.values())).all()
    assert all((kernel.numpy() != old).any() for kernel, old in zip(kernels, before))


# One of them is fast: the others are images, which take longer, or differ from it in a few numbers.
@pytest.mark.parametrize(
    "name", [n if n == "gin/ring.gin" else pytest.param(n, marks=pytest.mark.slow) for n in HEADLINE]
)
def test_a_recipe_takes_a_dry_run(check_dry_run, name, stored):
    config.load([name], [SMALL_BATCH, *stored(pipelines(name))])
    run = training.Run()
    check_dry_run(run)
    check_steps(run, first=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_30)
def test_a_recipe_takes_steps_with_30_samples_per_data_point(name, stored):
    config.load([name], [SMALL_BATCH, *stored(pipelines(name)), "BMSVAEGAN.T = 30"])
    run = training.Run()
    assert run.system.T == 30
    check_steps(run, first=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_RING)
def test_a_part_takes_a_dry_run_on_top_of_the_ring_recipe(build, check_dry_run, stored, name):
    if "addons" in name:
        pytest.importorskip("tensorflow_addons")
    check_dry_run(build(name, SMALL_BATCH, *stored(pipelines(name))))


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_CIFAR10)
def test_networks_take_a_dry_run_on_top_of_the_cifar10_recipe(stored, check_dry_run, name):
    config.load(["gin/cifar10.gin", name], [SMALL_BATCH, *stored({"cifar10"})])
    check_dry_run(training.Run())


@pytest.mark.slow
@pytest.mark.parametrize("name", FEATURES)
def test_a_network_of_features_takes_a_dry_run(name, stored, monkeypatch, tmp_path):
    """A classifier takes one step of training; a network from a file says which file it misses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    recipe = "gin/cifar10.gin" if "cifar10" in name else "gin/stacked_mnist.gin"
    missing = ["inception.weights = 'nowhere.pb'"] if "inception" in name else []
    short = ["steps = 1", "batch_size = 4", "min_accuracy = 0.0"] if not missing else []
    params = [*stored(pipelines(recipe)), *missing, *(f"image_classifier.{setting}" for setting in short)]
    config.load([recipe, name], params)
    make = training.Recipe().features
    if missing:
        with pytest.raises(ValueError, match="nowhere.pb is no file; it is in http"):
            make()
        return
    network = make()
    channels = network._model.input_shape[-1]
    answer = network(np.zeros([3, *network._model.input_shape[1:3], channels], np.float32))
    assert answer["logits"].shape == (3, 10) and np.isfinite(answer["features"]).all()


@pytest.mark.parametrize("name", HEADLINE)
def test_a_recipe_opens_with_its_command(name):
    assert f"#   python -m bms_tf.train --gin_file={name}\n" in (ROOT / name).read_text()


def commands(name):
    """The gin files of every command that a sweep opens with."""
    found = re.findall(r"^#   python -m bms_tf\.tune (.+)$", (ROOT / name).read_text(), re.MULTILINE)
    return [re.findall(r"--gin_file=(\S+)", command) for command in found]


@pytest.mark.slow
@pytest.mark.parametrize(
    "files", [pytest.param(gin_files, id=" ".join(gin_files)) for name in SWEEPS for gin_files in commands(name)]
)
def test_a_sweep_can_start(files, stored, tmp_path):
    Setting(str(tmp_path), files, [SMALL_BATCH, *stored(pipelines(files[0]))], ()).check()


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_opens_with_its_commands(name):
    assert commands(name) and all(name in gin_files for gin_files in commands(name))


# Nothing is left out.


def test_every_gin_file_is_tested():
    # A file in a new folder belongs to a list above, or to one of its own in another test of this folder.
    named = (*HEADLINE, *ON_RING, *FEATURES, *SYSTEMS, *ON_CIFAR10, *SWEEPS)
    assert FILES == {used for name in named for used in with_includes(name)}


def test_every_system_has_a_gin_file():
    for module in pkgutil.iter_modules(bms_tf.systems.__path__):
        importlib.import_module(f"bms_tf.systems.{module.name}")
    ours = {system for system in System.__subclasses__() if system.__module__.startswith("bms_tf.systems.")}
    texts = "".join((ROOT / name).read_text() for name in files("gin/systems"))
    assert {system.__name__ for system in ours} == set(re.findall(r"^train.system = @(\w+)$", texts, re.MULTILINE))
    assert not any(system.__subclasses__() for system in ours), "no paper is a subclass of another"
