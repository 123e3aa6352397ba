"""Every system on the ring: its step time over plain GAN's, and a short run against the untrained model.

    python benchmarks/systems.py steps [--only=gan,wgan_gp]    step times beside the passes that the equations need
    python benchmarks/systems.py short [--only=...]            a short run beside the untrained model
    python benchmarks/systems.py pictures                      samples on ring and grid, for the gallery of systems

Systems are those of gin/systems/ but for the files that end in _2d, which are another's with other settings. Each has a
process of its own. `steps` stands on the ring recipe; windows of a system's steps alternate with windows of GAN's.

`short` stands on mixtures.gin and has one criterion for all: between the radii |x| of the samples and those of the
test split, the energy distance is at most HALF of the untrained model's, a blob in the middle of the ring. So a system
that learns moves its samples out to the ring and no further. Which modes it has after so few updates is not asked, as
a GAN that is right may lose some and BEGAN keeps one; the energy distance of the samples themselves is printed beside
it. OWN is what a system gets beside RATE. `pictures` has the same settings.
"""

import pathlib
import subprocess
import sys
import time

import numpy as np
from absl import app, flags

flags.DEFINE_list("only", None, "Names of files in gin/systems/; all of them if not given.")
flags.DEFINE_float("seconds", 2.0, "How long each system's steps are timed, at least; GAN's as long.")
flags.DEFINE_string("child", None, "Measure one system; what the child processes are called with.")
flags.DEFINE_integer("updates", 5000, "Generator updates of a short run.")
FLAGS = flags.FLAGS

ROOT = pathlib.Path(__file__).parent.parent
PICTURES = ROOT / "docs/figures/systems"
WINDOWS = 5
ALLOWED = 1.3  # times what the passes say
HALF = 0.5
STEPS_ON, SHORT_ON = ("gin/ring.gin",), ("gin/data/ring.gin", "benchmarks/mixtures.gin")
RATE = "adam.learning_rate = 3e-3"
# The files leave both open; this lambda is between those of the recipes of ring and grid.
LAMBDA, T = "BMSVAEGAN.lambda_ = 1.0", "BMSVAEGAN.T = 10"
OWN = {
    "alpha_gan_sn": (LAMBDA,),
    "bms_vae": (LAMBDA, T),
    "bms_vae_gan": (LAMBDA, T),
    "joint_alpha_gan": (LAMBDA,),
    "relativistic_bms_vae_gan": (LAMBDA, T),
    "began": ("autoencoding_discriminator.code_size = 1",),  # codes of more dimensions than the data are no bottleneck
    "sn_gan": ("discriminator/mlp.gain = 3.0",),  # a slope of 1 is little for modes of 0.01
    "unrolled_gan": ("adam.learning_rate = 1e-3",),
    "vae_gan": ("VAEGAN.gamma = 10.0",),
    # The prior's codes are not where a deterministic encoder puts data of fewer dimensions.
    "wae_gan": ("WAE.encoder = @gaussian_encoder()",),
    "wae_mmd": ("WAE.encoder = @gaussian_encoder()",),
    "wgan_gp": ("WGANGP.lambda_ = 0.1",),  # as in its authors' gan_toy.py
}
WORSE = f"  more than {HALF} of the untrained model's"

# Passes of a network over one batch: forward; backward to its weights and its input; backward to its input alone.
F, W, X = 1, 2, 1
# A gradient penalty: forward, the slope, and a backward pass through both.
PENALTY = (F + X) * 3
SLOPE = PENALTY - F  # of a pass that is there already
# Of a step, phase by phase: E encoder, G generator, D discriminator (of data, codes or pairs). A player's gradient is
# a backward pass of its own; what a phase needs for two of its terms is one pass.
D_PHASE = 3 * F + 2 * W  # G(z); D of data and of samples
G_PHASE = 2 * F + W + X  # D(G(z)); back through D to G
CODES = 3 * F + 2 * W  # E(x); D of prior codes and of these
FAKES = 6 * F + 3 * W  # E(x), G of its code, G(z); D of data and of both
JOINT = 6 * F + 3 * W + 3 * X  # the same, and D of the code; back through three D's, two G's and E
ENCODER = 3 * F + W + 2 * X  # E(x), G and D of its code; back through both to E
GENERATOR = 5 * F + 2 * W + 2 * X  # E(x), G of its code, G(z); D of both; back through D and G of both
UNROLLED = 3 * (2 * F + 2 * W)  # D of data and samples and its gradient; and a backward pass through all of that
CODED = 3 * F + W + X  # E(x), G of its code, G(z); back through G to E
PASSES = {
    "gan": D_PHASE + G_PHASE,
    "sn_gan": D_PHASE + G_PHASE,
    "md_gan": D_PHASE + G_PHASE,
    "gdpp_gan": D_PHASE + G_PHASE + F,  # the features of data, for the generator too
    "r3gan": D_PHASE + 2 * SLOPE + G_PHASE + F,  # the slopes at data and samples; D of data, for the generator too
    "unrolled_gan": D_PHASE + 5 * UNROLLED + 3 * F + 3 * W,  # G(z), the last D of data and of it, and back through all
    "wgan_gp": 5 * (D_PHASE + PENALTY) + G_PHASE,
    "bw_gan": 5 * (D_PHASE + PENALTY) + G_PHASE,
    "began": 5 * F + 5 * W + 2 * X,  # an autoencoder is two networks
    # D of the three; the penalty; E D(x) - E D(G(z))
    "dist_gan": CODED + FAKES + PENALTY + 3 * F + W + X,
    "alpha_gan": 2 * (ENCODER + GENERATOR) + FAKES + CODES,
    "alpha_gan_empirical_kl": 2 * (ENCODER - F - X + GENERATOR) + FAKES,
    "alpha_gan_gradient_penalty": 2 * (ENCODER + GENERATOR) + FAKES + PENALTY + CODES,
    "relativistic_alpha_gan": 2 * (ENCODER + GENERATOR + F) + FAKES + 3 * SLOPE + CODES,
    "vgh_plus_plus": ENCODER + GENERATOR + FAKES + CODES,
    "vgh": ENCODER + GENERATOR - 2 * F - W - X + FAKES - 2 * F - W + CODES,  # without G(z) and D of it
    "joint_alpha_gan": JOINT + FAKES + CODES,
    "alpha_gan_sn": JOINT + FAKES + CODES,
    "bms_vae_gan": JOINT + 10 * 2 * F + F + W + FAKES + CODES,  # ten candidates are scored; G of two winners
    "relativistic_bms_vae_gan": JOINT + 10 * 2 * F + 2 * F + W + FAKES + 3 * SLOPE + CODES,
    "bms_vae": 10 * F + 3 * F + 2 * W + X + CODES,
    "ali": 4 * F + 4 * W + 2 * X,
    "bigan": 4 * F + 4 * W + 2 * X,
    "veegan": 5 * F + 4 * W + 2 * X,
    "veegan_dae": 5 * F + 5 * W + 2 * X,
    "vae_gan": 6 * F + 6 * W + 4 * X,
    "vae": 2 * F + 2 * W,
    "vae_real_nvp": 3 * F + 3 * W,  # the flow is a network
    "aae": 2 * F + 2 * W + X + CODES + 2 * F + W + X,
    "wae_gan": CODES + 3 * F + 2 * W + X,
    "wae_mmd": 2 * F + 2 * W,
    "avb": 4 * F + 4 * W + X,
    # E(x) and G of it, G(z) and E of it, back to E; then G(z), E of it and back to G, twice
    "age": 4 * F + 2 * W + X + 2 * G_PHASE,
}


def names():
    """The systems asked for."""
    found = sorted(path.stem for path in (ROOT / "gin" / "systems").glob("*.gin") if not path.stem.endswith("_2d"))
    unknown = (set(FLAGS.only or ()) - set(found)) | (set(found) ^ set(PASSES))
    if unknown:
        raise app.UsageError(f"{sorted(unknown)}: not in gin/systems/, or no passes are stated in {__file__}")
    return [name for name in found if not FLAGS.only or name in FLAGS.only]


def build(name, files, *params):
    """The run of a system on top of `files`."""
    from bms_tf.core import config, errors, training

    config.load([*files, f"gin/systems/{name}.gin"], params)
    with errors.in_one_line():
        return training.Run()


def stepper(tf, name):
    """A function that takes one step of the system, as it is after any pretraining."""
    run = build(name, STEPS_ON)
    run.system.step.assign(10_000)
    run.system.make_train_function()
    step = tf.function(run.system.train_step, autograph=False)
    x = tf.random.stateless_normal([run.examples_per_step, *run.system.data_shape], [0, 0])
    step(x)
    return lambda: step(x)


def rate(step, seconds):
    """Steps per second."""
    count, begun = 0, time.perf_counter()
    while count < 1 or time.perf_counter() - begun < seconds:
        step()
        count += 1
    return count / (time.perf_counter() - begun)


def steps(name):
    """The step's time over GAN's. Of each, the window in which other programs disturbed least."""
    from bms_tf.core import startup

    tf = startup.import_tensorflow()
    both = stepper(tf, "gan"), stepper(tf, name)
    windows = [[rate(step, FLAGS.seconds / WINDOWS) for step in both] for _ in range(WINDOWS)]
    gan, system = map(max, zip(*windows))
    needed = PASSES[name] / PASSES["gan"]
    flag = "  more than the passes say" if gan / system > ALLOWED * needed else ""
    return f"{name:28} {PASSES[name]:6} {needed:9.2f} {1000 / system:8.2f} {gan / system:9.2f}{flag}"


def short(name):
    """The energy distance of the radii before and after the short run; and what the samples are like after it."""
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.metrics.energy import energy_distance

    run = build(name, SHORT_ON, f"updates = {FLAGS.updates}", RATE, *OWN.get(name, ()))

    def of_radii():
        radii = (np.linalg.norm(points, axis=1, keepdims=True) for points in (run.draw_samples(), run.reference))
        return energy_distance(*radii, seed=0)

    before = of_radii()
    run.fit(0, run.steps)
    after, scores = of_radii(), run.sample_scores()
    flag = "" if after <= HALF * before else WORSE  # also where it is not a number
    distance, modes = scores["energy_distance"], scores["modes"]
    return f"{name:28} {before:9.3f} {after:8.3f} {after / before:6.3f} {distance:9.3f} {modes:6.0f}{flag}"


def pictures(name):
    """Draws samples on ring and grid, and says how many modes they have."""
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.pictures import points
    from pipelines.grid import grid_centers
    from pipelines.ring import ring_centers

    words = []
    PICTURES.mkdir(parents=True, exist_ok=True)
    for data, centers in (("ring", ring_centers()), ("grid", grid_centers())):
        files = (f"gin/data/{data}.gin", *SHORT_ON[1:])
        run = build(name, files, f"updates = {FLAGS.updates}", RATE, *OWN.get(name, ()))
        run.fit(0, run.steps)
        scores = run.sample_scores()
        figure = points(run.draw_samples()[:500], centers, f"{name}, {FLAGS.updates:,} updates")
        figure.savefig(PICTURES / f"{name}_{data}.png", dpi=50)
        words.append(f"{scores['modes']:6.0f} {scores['hq_percent']:7.1f}")
    return f"{name:28} {' '.join(words)}"


COMMANDS = {
    "pictures": (
        pictures,
        f"{'':28} ring           grid\n{'system':28} {'modes':>6} {'HQ %':>7} {'modes':>6} {'HQ %':>7}",
    ),
    "steps": (steps, f"{'system':28} {'passes':>6} {'over GAN':>9} {'ms':>8} {'over GAN':>9}"),
    "short": (
        short,
        f"{'':28} energy distance of radii          of the samples\n"
        f"{'system':28} {'untrained':>9} {'trained':>8} {'over':>6} {'distance':>9} {'modes':>6}",
    ),
}


def main(argv):
    """Measures each system in a child process and prints its line."""
    command = argv[1] if len(argv) == 2 else None
    if command not in COMMANDS:
        raise app.UsageError(f"say one of {', '.join(COMMANDS)}")
    measure, header = COMMANDS[command]
    if FLAGS.child:
        print(measure(FLAGS.child))
        return
    print(header, flush=True)
    failed = False
    for name in names():
        child = [sys.executable, __file__, command, f"--child={name}", f"--seconds={FLAGS.seconds}"]
        child.append(f"--updates={FLAGS.updates}")
        result = subprocess.run(child, capture_output=True, text=True, cwd=ROOT)
        line = (result.stderr if result.returncode else result.stdout).strip().splitlines()[-1]
        print(f"{name}: {line}" if result.returncode else line, flush=True)
        failed |= result.returncode != 0 or WORSE in line
    sys.exit(failed)


if __name__ == "__main__":
    app.run(main)
