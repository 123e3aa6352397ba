"""Steps per second and peak memory of the winners-only gradient against the naive one, for growing T.

    python benchmarks/best_of_many.py [--networks=mlp,dcgan] [--reductions=LeastRealistic,Mean] [--T=1,2,5,10,30,100]

Each line is measured in a process of its own. Memory is the peak of the resident set over what the process held
after building and tracing the step. Absolute times drift on a shared machine; the ratios are of one run.
"""

import json
import time

import processes
from absl import app, flags

flags.DEFINE_list("networks", ["mlp", "dcgan"], "mlp: 2-D, batch 256; dcgan: 64 x 64 at full width, batch 16.")
flags.DEFINE_list("reductions", ["LeastRealistic", "Mean"], "Of the synthetic likelihood.")
flags.DEFINE_list("T", ["1", "2", "5", "10", "30", "100"], "Samples per data point.")
flags.DEFINE_float("seconds", 10.0, "How long each line is measured, at least.")
flags.DEFINE_string("only", None, "Measure one line, given as JSON; what the child processes are called with.")
FLAGS = flags.FLAGS

WINDOWS = 5
# Candidates scored at a time: all at once where they are small, one by one where each is a batch of images.
CHUNK = {"mlp": None, "dcgan": 1}


def measure(networks, reduction, gradient, many):
    """Steps per second and peak bytes of one system."""
    from bms_tf.core import startup

    tf = startup.import_tensorflow()
    from bms_tf.core.keras import keras
    from bms_tf.networks.dcgan import dcgan_discriminator, dcgan_encoder, dcgan_generator
    from bms_tf.networks.layers import SpectralNormalization
    from bms_tf.networks.mlp import mlp
    from bms_tf.networks.posteriors import GaussianEncoder
    from bms_tf.objectives import best_of_many
    from bms_tf.objectives.best_of_many import Naive, WinnersOnly
    from bms_tf.systems.bms_vae_gan import BMSVAEGAN

    make = {"mlp": (mlp, mlp, mlp, (2,), 32, 256)}
    make["dcgan"] = (dcgan_generator, dcgan_discriminator, dcgan_encoder, (64, 64, 3), 100, 16)
    generator, discriminator, encoder, shape, code, batch = make[networks]
    posterior = encoder(input_shape=shape, output_shape=(2 * code,))
    system = BMSVAEGAN(
        encoder=GaussianEncoder(posterior, code_size=code, data_shape=shape),
        generator=generator(input_shape=(code,), output_shape=shape),
        discriminator=discriminator(input_shape=shape, output_shape=(), wrapper=SpectralNormalization),
        code_discriminator=mlp(input_shape=(code,), output_shape=()),
        T=many,
        lambda_=1.0,
        synthetic_likelihood=getattr(best_of_many, reduction)(),
        gradient={"naive": Naive(), "winners_only": WinnersOnly(chunk=CHUNK[networks])}[gradient],
    )
    system.compile({player: keras.optimizers.Adam(1e-4) for player in system.players})
    system.make_train_function()
    step = tf.function(system.train_step).get_concrete_function(tf.TensorSpec([batch, *shape]))
    x = tf.random.stateless_uniform([batch, *shape], [0, 0], -1.0, 1.0)
    before = processes.resident()
    step(x)
    rates = []
    for _ in range(WINDOWS):
        count, begun = 0, time.perf_counter()
        while count < 1 or time.perf_counter() - begun < FLAGS.seconds / WINDOWS:
            step(x)
            count += 1
        rates.append(count / (time.perf_counter() - begun))
    rate = max(rates)  # the window in which other programs disturbed least
    return {"rate": rate, "memory": processes.peak() - before}


def main(_):
    """Measures every line in a child process and prints the table."""
    if FLAGS.only:
        print(json.dumps(measure(**json.loads(FLAGS.only))))
        return
    print(f"{'':29} | {'steps per second':^34} | {'MB':^31}")
    print(
        f"{'networks':8} {'reduction':15} {'T':>4} | {'naive':>13} {'winners only':>13} {'ratio':>6} | "
        f"{'naive':>8} {'winners only':>13} {'/ T = 1':>8}"
    )
    for networks in FLAGS.networks:
        for reduction in FLAGS.reductions:
            first = None
            for many in map(int, FLAGS.T):
                line = {"networks": networks, "reduction": reduction, "many": many}
                naive, winners = (child({**line, "gradient": gradient}) for gradient in ("naive", "winners_only"))
                first = first or winners["memory"]
                print(
                    f"{networks:8} {reduction:15} {many:4} | {naive['rate']:13.2f} {winners['rate']:13.2f} "
                    f"{winners['rate'] / naive['rate']:6.2f} | {naive['memory'] / 1e6:8.0f} "
                    f"{winners['memory'] / 1e6:13.0f} {winners['memory'] / first:8.2f}",
                    flush=True,
                )


def child(line):
    """The measurement of `line` in a process of its own."""
    arguments = [__file__, f"--only={json.dumps(line)}", f"--seconds={FLAGS.seconds}"]
    return json.loads(processes.answer(arguments, str(line)))


if __name__ == "__main__":
    app.run(main)
