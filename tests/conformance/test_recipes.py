"""Every gin file is found, read with nothing unknown, and takes a step with its own networks; none is left out."""

import importlib
import pkgutil
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import bms_tf.systems
from bms_tf.core import config, training
from bms_tf.core.joint import JointSystem
from bms_tf.core.keras import every_layer, keras, replace_schedule
from bms_tf.core.system import System
from bms_tf.tuning.search import Setting

ROOT = Path(__file__).parents[2]
FILES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gin").rglob("*.gin")}


def files(*folders):
    return sorted(name for name in FILES if name.rpartition("/")[0] in folders)


HEADLINE = files("gin")
AT_30 = [name for name in HEADLINE if "T = 30" in (ROOT / name).read_text()]  # which the papers, or we, also want
ON_RING = files("gin/modifiers", "gin/data", "gin/trackers")  # each is put on top of the ring recipe
FEATURES = files("gin/features")  # each names a network in whose features metrics compare
SYSTEMS = files("gin/systems")  # so is each of these, in test_systems.py
SWEEPS = files("gin/sweeps")  # each is checked with every recipe that its commands name
STUDIES = files("gin/studies", "gin/tables")  # each is read with all that it names in test_studies.py
ON_CIFAR10 = ["gin/networks/resnet.gin"]  # networks that no recipe names
SMALL_BATCH = "train.batch_size = 2"  # the only thing that is not the recipe's own


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
    before = [zlib.crc32(kernel.numpy()) for kernel in kernels]  # a copy of a large one would stay in memory
    history = run.fit(first, 3)
    assert int(run.system.step) == 3
    assert np.isfinite(list(history.values())).all()
    assert all(zlib.crc32(kernel.numpy()) != old for kernel, old in zip(kernels, before))


# One of them is fast: the others are images, which take longer, or differ from it in a few numbers.
@pytest.mark.parametrize(
    "name", [n if n == "gin/ring.gin" else pytest.param(n, marks=pytest.mark.slow) for n in HEADLINE]
)
def test_a_recipe_takes_a_dry_run(check_dry_run, name, stored):
    config.load([name], [SMALL_BATCH, *stored(pipelines(name))])
    run = training.Run()
    # An encoder that gives an untrained log deviation of 10 and more has codes, and losses, without any measure.
    assert max(map(abs, check_dry_run(run))) < 1e3
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
    # R1 and R2 refuse a discriminator of packs or with batch normalization.
    free = ["train.modifiers = []"] if name.endswith(("packing.gin", "batch_normalization.gin")) else []
    once = "train.steps_per_execution = 1"  # else each step is traced twice, as a loop's
    check_dry_run(build(name, SMALL_BATCH, once, *free, *stored(pipelines(name))))


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
    line = rf"^#   python -m bms_tf\.train --gin_file={re.escape(name)}( --\S+)*$"
    assert re.search(line, (ROOT / name).read_text(), re.MULTILINE)


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


# What a paper has, as the gin files that name it say.


def test_rosca_et_al_have_l1_codes_in_veegan():
    config.load(commands("gin/sweeps/rosca_veegan.gin")[0], [SMALL_BATCH])
    system = training.Run().system
    # |1 - 0| + |-2 - 0| = 3, where the squared distance is 5 (Rosca et al. 2018, appendix K).
    distance = -system.code_likelihood(tf.constant([[1.0, -2.0]]), tf.zeros([1, 2]), system.code_lambda)
    assert distance.numpy().tolist() == [3.0]


def test_rosca_et_al_weigh_the_codes_of_age_by_10():
    config.load(commands("gin/sweeps/rosca_age.gin")[0], [SMALL_BATCH, "AGE.data_weight = 100.0"])
    assert training.Run().system.code_weight == 10.0


def built(system, *params):
    """The run of a system on the grid, in the frame that compares them."""
    config.load(["gin/data/grid.gin", "benchmarks/mixtures.gin", f"gin/systems/{system}.gin"], params)
    return training.Run()


def rates(run):
    return {player: float(optimizer.learning_rate) for player, optimizer in run.system.optimizers.items()}


def test_md_gan_2d_has_its_authors_networks():
    # Their code: G ends in 6 tanh(x), D in 5 sigmoid(x) - 2.5, first weights of .02, two codes uniform in (-1, 1).
    run = built("md_gan_2d")
    far = run.system.generator(1e6 * tf.ones([1, 2])).numpy(), run.system.discriminator(1e6 * tf.ones([1, 2])).numpy()
    np.testing.assert_allclose(np.abs(far[0]), 6.0)
    np.testing.assert_allclose(np.abs(far[1]), 2.5)
    assert (far[0].shape, far[1].shape) == ((1, 2), (1, 9))
    for network in run.system.networks.values():
        assert [kernel.shape[0] for kernel in network.trainable_variables[::2]] == [2, 128, 128]
        assert network.trainable_variables[2].numpy().std() == pytest.approx(0.02, rel=0.05)  # of 16,384 numbers
    assert np.all(np.abs(run.system.sample_prior(tf.range(50, dtype=tf.int64))) < 1)
    assert rates(run) == pytest.approx({"generator": 1e-3, "discriminator": 1e-3}) and run.examples_per_step == 500
    # Their rates are halved at the epochs 500, 1000 and 1500, of 20 updates each.
    schedules = []
    for optimizer in run.system.optimizers.values():
        replace_schedule(optimizer, lambda schedule: schedules.append(schedule.schedule) or schedule)
    for updates, factor in {9_999: 1.0, 10_001: 0.5, 20_000: 0.5, 20_001: 0.25, 30_001: 0.125, 10**6: 0.125}.items():
        assert [float(schedule(updates)) for schedule in schedules] == pytest.approx([1e-3 * factor] * 2)


def test_gdpp_gan_2d_has_its_authors_networks():
    # Their code: tanh, two hidden layers in D, orthogonal weights of gain 1.4, 256 codes, D's rate a tenth of G's.
    run = built("gdpp_gan_2d")
    for network, inputs in ((run.system.generator, 256), (run.system.discriminator, 2)):
        first, _, middle, *_ = network.trainable_variables
        assert first.shape == (inputs, 128)
        np.testing.assert_allclose(tf.transpose(middle) @ middle, 1.4**2 * np.eye(128), atol=1e-4)
        assert [layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")][1] == "tanh"
    assert rates(run) == pytest.approx({"generator": 1e-3, "discriminator": 1e-4}) and run.examples_per_step == 512


def test_veegan_2d_has_its_authors_networks():
    # A copy of their notebook: one hidden layer in D, which sees pairs, codes of 254, and log N(z; F(G(z)), 1), whose
    # squared distance has the weight 1/2.
    run = built("veegan_2d")
    shapes = {
        name: [w.shape for w in network.trainable_variables[::2]] for name, network in run.system.networks.items()
    }
    assert shapes == {
        "encoder": [(2, 128), (128, 128), (128, 254)],
        "generator": [(254, 128), (128, 128), (128, 2)],
        "joint_discriminator": [(256, 128), (128, 1)],
    }
    assert run.system.code_lambda == 0.5 and [phase.name for phase in run.system._phases] == ["game"]
    assert rates(run) == pytest.approx(dict.fromkeys(run.system.players, 1e-3)) and run.examples_per_step == 500


@pytest.mark.parametrize("system", ["gdpp_gan_2d", "md_gan_2d", "veegan_2d"])
def test_authors_who_do_not_clip_gradients_do_not_in_a_study(system):
    config.load(["gin/data/grid.gin", "gin/tables/mixtures_runs.gin", f"gin/systems/{system}.gin"])
    assert {optimizer.global_clipnorm for optimizer in training.Run().system.optimizers.values()} == {None}


def test_dist_gan_2d_has_its_authors_game():
    # Their code: the first update moves both networks, five updates of D, reconstructions are fakes of weight 1/2.
    system = built("dist_gan_2d").system
    assert [(phase.repeats, system._acting[phase.name]) for phase in system._phases] == [
        (1, ("encoder", "generator")),
        (5, ("discriminator",)),
        (1, ("generator",)),
    ]
    assert float(system._w()) == 0.5
    assert system.reconstruction_loss(tf.constant([3.0])).numpy() == pytest.approx(np.log1p(np.exp(3.0)))


def test_began_2d_has_a_bottleneck():
    layers = every_layer(built("began_2d", "adam.learning_rate = 1e-3").system.discriminator)
    assert [layer.units for layer in layers if isinstance(layer, keras.layers.Dense)] == [128, 1, 128, 2]


@pytest.mark.parametrize("system", ["gan", "alpha_gan"])
def test_batch_normalization_in_every_network_in_place_of_spectral_normalization(system):
    # Rosca et al. 2017, appendix H, "for all our experiments": here on a recipe with spectral normalization in D_I.
    narrow = [f"{player}/dcgan_{player}.width = 2" for player in ("generator", "discriminator", "encoder")]
    narrow.append("code_discriminator/mlp.hidden = (4, 4)")
    files = ["gin/celeba64.gin", f"gin/systems/{system}.gin", "gin/modifiers/batch_normalization.gin"]
    config.load(files, [SMALL_BATCH, *narrow])
    for name, network in training.Run().system.networks.items():
        layers = every_layer(network)
        assert any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers), name
        assert not any(hasattr(layer, "power_iteration") for layer in layers), name


# Nothing is left out.


def test_every_gin_file_is_tested():
    # A file in a new folder belongs to a list above, or to one of its own in another test of this folder.
    named = (*HEADLINE, *ON_RING, *FEATURES, *SYSTEMS, *ON_CIFAR10, *SWEEPS, *STUDIES)
    assert FILES == {used for name in named for used in with_includes(name)}


def test_every_system_has_a_gin_file():
    for module in pkgutil.iter_modules(bms_tf.systems.__path__):
        importlib.import_module(f"bms_tf.systems.{module.name}")
    made = [*System.__subclasses__(), *JointSystem.__subclasses__()]
    ours = {system for system in made if system.__module__.startswith("bms_tf.systems.")}
    texts = "".join((ROOT / name).read_text() for name in files("gin/systems"))
    assert {system.__name__ for system in ours} == set(re.findall(r"^train.system = @(\w+)$", texts, re.MULTILINE))
    assert not any(system.__subclasses__() for system in ours), "no paper is a subclass of another"
