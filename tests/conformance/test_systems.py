"""What holds for every system, on tiny networks and the ring: a system that is new in gin/systems is found here."""

import gc
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import gin
import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.exporting import save
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.signatures import signatures
from bms_tf.core.system import System

ROOT = Path(__file__).parents[2]
LARGE = {"gin/systems/md_gan_2d.gin": 0.2}  # further out its saturating loss has no slope in float32
STEPS = 4  # ahead of a checkpoint, and as many behind it
SYSTEMS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "gin/systems").glob("*.gin"))
TINY = (
    "code_size = 4",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    "train.batch_size = 8",
    "train.optimizer = @conformance.descent",
    f"train.log_every = {STEPS}",
    "train.steps_per_execution = 1",
)
WITHOUT_CONSTANT = [  # D's last bias cancels in differences of logits
    "gin/systems/wgan_gp.gin",
    "gin/systems/r3gan.gin",
    "gin/systems/relativistic_alpha_gan.gin",
    "gin/systems/relativistic_bms_vae_gan.gin",
]
OWN = {
    # So that the second half has another phase than the first.
    "gin/systems/veegan.gin": [f"VEEGAN.pretraining = {STEPS}"],
    "gin/systems/veegan_dae.gin": [f"VEEGAN.pretraining = {STEPS}"],
    # Two updates of a phase where the paper has five: each is a part of the step's graph.
    "gin/systems/bw_gan.gin": ["BWGAN.critic_updates = 2"],
    "gin/systems/dist_gan_2d.gin": ["DistGAN.critic_updates = 2"],
    "gin/systems/unrolled_gan.gin": ["UnrolledGAN.K = 2"],
    "gin/systems/wgan_gp.gin": ["WGANGP.critic_updates = 2"],
}
# Of each kind one, for `make check`; the others take minutes.
FAST = {f"gin/systems/{name}.gin" for name in ("bms_vae_gan", "gan", "vae", "veegan", "wgan_gp")}


# Not Adam: its first updates have the full rate for any gradient, also for the rounding error of one that is zero, as
# for the last bias of a hinge discriminator. Two devices round otherwise than one.
@gin.configurable(module="conformance")
def descent() -> keras.optimizers.Optimizer:
    # Slow, for terms whose gradient is large, as the likelihood of a narrow Gaussian. Not clipped: two devices would
    # then agree with one also where a gradient is a constant times too large.
    rate = keras.optimizers.schedules.PolynomialDecay(0.0002, decay_steps=30)
    return keras.optimizers.SGD(rate, momentum=0.9)


@pytest.fixture(scope="module")
def start(build):
    """`start(file, *params)`: a tiny run, with `traced`, which counts how often each phase's losses were traced, and
    `made`, the variables that were made with it.
    """

    def tiny(file, *params):
        gc.collect()  # of earlier ones, whose functions hold them in cycles
        traced, made = Counter(), []

        def noted(make, **kwargs):
            made.append(make(**kwargs))
            return made[-1]

        original = System._losses_and_gradients

        def counted(self, phase, *args):
            traced[phase.name] += 1
            return original(self, phase, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(System, "_losses_and_gradients", counted)
            with tf.variable_creator_scope(noted):
                run = build(file, *TINY, *OWN.get(file, ()), *params)
                run.system  # noqa: B018, which is built when it is asked for
        run.traced, run.made = traced, made
        return run

    return tiny


def fit(run, first):
    """The losses of STEPS steps, from the step `first` on."""
    return {term: values[0] for term, values in run.fit(first, first + STEPS).items()}


def state(run, folder):
    """Everything in a checkpoint of the run."""
    checkpoints = Checkpoints(run.system, str(folder))
    checkpoints.save()
    reader = tf.train.load_checkpoint(checkpoints.newest)
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names}


@pytest.fixture(
    scope="module", params=[name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SYSTEMS]
)
def trained(request, start, tmp_path_factory):
    """A run that was saved on its way."""
    folder = tmp_path_factory.mktemp("trained")
    run = start(request.param)
    losses = [fit(run, 0)]
    Checkpoints(run.system, str(folder / "middle")).save()
    losses.append(fit(run, STEPS))
    return SimpleNamespace(
        file=request.param,
        system=run.system,
        losses=losses,
        traced=dict(run.traced),
        made=run.made,
        middle=str(folder / "middle"),
        end=state(run, folder / "end"),
    )


def test_a_few_steps_are_finite(trained):
    assert int(trained.system.step) == 2 * STEPS
    assert trained.system.bad_term is None
    for losses in trained.losses:
        assert losses and all(map(math.isfinite, losses.values()))


def test_each_phase_is_traced_once(trained):
    assert trained.traced == {phase.name: 1 for phase in trained.system._phases}


def test_a_phase_changes_its_players_variables_alone_and_all_have_a_gradient(trained):
    system = trained.system
    x = tf.random.stateless_normal([8, *system.data_shape], [1, 0])
    reached = set()
    for index, phase in enumerate(system._phases):
        # Large weights, so that hinge losses are not all within their margin: there the bias of the last layer has no
        # gradient, since data and fakes weigh the same.
        for seed, variable in enumerate(system.trainable_variables):
            variable.assign(LARGE.get(trained.file, 0.6) * tf.random.stateless_normal(variable.shape, [0, seed]))
        before = {v.ref(): v.numpy() for v in system.trainable_variables}
        players = system._acting[phase.name]
        own = {v.ref() for player in players for v in system.trainable(player)}
        _, gradients, _ = system._gradients[phase.name](x, Key(tf.zeros([2], tf.int64)).seed, tf.constant(0))
        for player in players:
            of_player = zip(system.trainable(player), gradients[player])
            reached |= {v.ref() for v, g in of_player if np.any(np.abs(g) > 1e-6)}  # rounding is no gradient
        system._move(index, phase, *system._moves(index, phase, 0, x))
        changed = {v for v, old in before.items() if not np.array_equal(v.deref(), old)}
        assert changed and changed <= own, phase.name
    # A critic's constant cancels out of the difference of its means over data and over samples.
    constant = {system.discriminator.trainable_variables[-1].ref()} if trained.file in WITHOUT_CONSTANT else set()
    assert before.keys() - reached == constant, "every trainable variable has a gradient in some phase"


def test_every_variable_is_in_a_checkpoint(trained):
    checkpoint = tf.train.Checkpoint(model=trained.system)
    saved = {id(thing) for thing in tf.train.TrackableView(checkpoint).descendants()}
    assert len(trained.made) > len(trained.system.trainable_variables)
    # Keras counts the batches of each model, integers without a name, and has a mean of the one loss that it expects;
    # of the means of a term that two phases have, one is dropped.
    lost = [v for v in trained.made if id(v) not in saved]
    assert {v.name for v in lost if (v.name, v.dtype) != ("Variable:0", tf.int64)} <= {"count:0", "total:0"}


@pytest.mark.slow
def test_a_saved_run_goes_on_exactly(trained, start, check_dry_run, tmp_path):
    other = start(trained.file)
    check_dry_run(other)  # whose step leaves nothing as it was
    for variable in other.system.trainable_variables:
        variable.assign_add(tf.ones_like(variable))
    assert Checkpoints(other.system, trained.middle).restore(pytest.fail) == STEPS
    assert fit(other, STEPS) == trained.losses[1]
    end = state(other, tmp_path)
    assert end.keys() == trained.end.keys()
    for name in end:
        np.testing.assert_array_equal(end[name], trained.end[name], err_msg=name)


@pytest.mark.slow
def test_two_devices_agree_with_one(trained, start):
    if trained.system.batch_coupled:
        pytest.skip("an example's loss depends on its replica's batch")
    if len(tf.config.list_logical_devices("GPU")) == 1:
        pytest.skip("this machine has no second device of the kind that is trained on")
    run = start(trained.file, "train.devices = @mirrored")
    assert run.recipe.strategy.num_replicas_in_sync == 2
    for first, losses in zip((0, STEPS), trained.losses):
        assert fit(run, first) == pytest.approx(losses, rel=1e-5, abs=1e-5)
    assert run.traced == {phase.name: 2 for phase in run.system._phases}, "once for each replica"


@pytest.mark.slow
def test_a_saved_model_answers_as_the_system_does(trained, tmp_path):
    system = trained.system
    traced = signatures(system)
    save(system, traced, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    assert set(loaded.signatures) == set(traced)
    assert set(system.offers) - set(traced) <= {"posterior"}, "whose signature is of Gaussians alone"
    inputs = {
        "z": tf.random.stateless_normal([5, system.code_size], [2, 0]),
        "x": tf.random.stateless_normal([5, *system.data_shape], [2, 1]),
        "seed": tf.range(5, dtype=tf.int64),
    }
    for name, signature in loaded.signatures.items():
        taken = {spec.name: inputs[spec.name] for spec in signature.structured_input_signature[1].values()}
        outputs, expected = signature(**taken), traced[name](**taken)
        assert outputs.keys() == expected.keys()
        for output in expected:
            np.testing.assert_array_equal(outputs[output], expected[output], err_msg=f"{name}: {output}")
    generated = loaded.signatures["generate"](z=inputs["z"])["x"]
    np.testing.assert_array_equal(generated, tf.function(system.generate)(inputs["z"]))
