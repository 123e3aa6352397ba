"""What scores cost: time over other implementations', and the memory of an evaluation of many pictures.

    python benchmarks/evaluation.py [--only=frechet,prdc,streaming] [--n=10000] [--pictures=50000] [--streamed=codes]

Each line is measured in a process of its own. Times are processor time over all cores, and seconds of the clock; on a
shared machine only their ratios within one run mean something. Memory is the peak of the resident set; of the first
two over what the process held with the features in it. `streaming` has a line for each group of metrics that see the
pictures themselves, with short fits and few pairs, as these do not change the memory.
"""

import functools
import json
import os
import sys
import tempfile
import time

import processes
from absl import app, flags

flags.DEFINE_list("only", ["frechet", "prdc", "streaming"], "Which are measured.")
flags.DEFINE_list("streamed", [], "Which lines of streaming; default: all.")
flags.DEFINE_integer("n", 10_000, "Examples in either set of features.")
flags.DEFINE_integer("features", 2048, "Numbers in a feature.")
flags.DEFINE_integer("pictures", 50_000, "Samples, and real pictures, of 128 x 128.")
flags.DEFINE_string("measure", None, "What a child process is called with.")
FLAGS = flags.FLAGS


def features():
    """Two sets like those of a network: not negative, correlated, of different scales."""
    import numpy as np

    rng = np.random.default_rng(0)
    mix = rng.normal(size=(FLAGS.features, FLAGS.features)) / FLAGS.features**0.5

    def one(shift):
        return np.maximum(rng.normal(shift, 1, size=(FLAGS.n, FLAGS.features)) @ mix, 0).astype(np.float32)

    return one(0.0), one(0.1)


def timed(prepare):
    """Answer, processor seconds, seconds of the clock and peak bytes over what was held before.

    `prepare(a, b)` imports what is needed and gives the function that is measured.
    """
    function = prepare(*features())
    before, clock, processor = processes.resident(), time.perf_counter(), time.process_time()
    answer = function()
    return {
        "answer": answer,
        "processor": time.process_time() - processor,
        "clock": time.perf_counter() - clock,
        "memory": processes.peak() - before,
    }


def frechet_ours(a, b):
    from bms_tf.metrics.frechet import frechet_distance

    return lambda: frechet_distance(a, b)


def frechet_tfgan(a, b):
    from bms_tf.core import startup

    tf = startup.import_tensorflow()
    import tensorflow_gan as tfgan

    real, samples = tf.constant(a, tf.float64), tf.constant(b, tf.float64)
    tfgan.eval.frechet_classifier_distance_from_activations(real[:10], samples[:10])
    return lambda: float(tfgan.eval.frechet_classifier_distance_from_activations(real, samples))


def prdc_ours(a, b):
    from bms_tf.metrics.prdc import prdc

    def measured():
        answer = prdc(b, a, seed=0, k=5)
        del answer["coverage_expected"]
        return answer

    return measured


def prdc_package(a, b):
    import contextlib

    from prdc import compute_prdc

    def measured():
        with contextlib.redirect_stdout(sys.stderr):
            return {name: float(value) for name, value in compute_prdc(a, b, nearest_k=5).items()}

    return measured


STREAMED = {
    "frechet": ["frechet"],
    "diversity": ["ms_ssim_diversity", "lpips_diversity"],
    "critic": ["wasserstein_critic"],
    "codes": ["marginal_kl", "code_moments", "low_posterior", "elbo", "density_ratio_kl"],
    "ivom": ["ivom"],
}
SHORT = {
    "diversity": [
        "ms_ssim_diversity.pairs = 200",
        "lpips_diversity.pairs = 200",
        "lpips_diversity.weights = '{alexnet}'",
    ],
    "critic": ["wasserstein_critic.steps = 5", "wasserstein_critic.width = 16"],
    "codes": ["low_posterior.embedded = 0", "density_ratio_kl.steps = 100"],
    "ivom": ["ivom.examples = 100", "ivom.screening = 2", "ivom.iterations = 5"],
}


def streaming(group):
    """An evaluation of a model against an .npz, both of `pictures` pictures of 128 x 128."""
    import numpy as np

    from bms_tf.core import startup

    tf = startup.import_tensorflow()
    import bms_tf

    with tempfile.TemporaryDirectory() as folder:
        model = tf.Module()
        model.weights = tf.Variable(np.random.default_rng(0).normal(size=(16, 8 * 8 * 3)).astype(np.float32))

        def generate(z):
            coarse = tf.tanh(tf.reshape(z @ model.weights, [-1, 8, 8, 3]))
            return {"x": tf.ensure_shape(tf.image.resize(coarse, [128, 128]), [None, 128, 128, 3])}

        def posterior(x):
            coarse = tf.reshape(tf.nn.avg_pool2d(x, 16, 16, "VALID"), [-1, 192])
            mean = tf.matmul(coarse, model.weights, transpose_b=True) / 14
            return {"mean": mean, "log_stddev": tf.zeros_like(mean) - 1}

        picture = [None, 128, 128, 3]
        functions = {"generate": (generate, "z", [None, 16]), "posterior": (posterior, "x", picture)}
        save(tf, model, functions, os.path.join(folder, "model"))
        network = tf.Module()
        means = lambda x: {"features": tf.reshape(tf.nn.avg_pool2d(x, 16, 16, "VALID"), [-1, 192])}  # noqa: E731
        save(tf, network, {"serving_default": (means, "x", picture)}, os.path.join(folder, "network"))
        write_npz(os.path.join(folder, "real.npz"))
        alexnet = os.path.join(folder, "alexnet.npz")
        write_alexnet(alexnet)
        begun, clock = time.process_time(), time.perf_counter()
        rows = bms_tf.evaluate(
            model=os.path.join(folder, "model"),
            data=os.path.join(folder, "real.npz"),
            metrics=STREAMED[group],
            gin_param=[param.format(alexnet=alexnet) for param in SHORT.get(group, [])],
            features="savedmodel",
            weights=os.path.join(folder, "network"),
            n=FLAGS.pictures,
            cache_dir=os.path.join(folder, "cache"),
        )
        return {
            "answer": {row["name"]: row["value"] for row in rows},
            "processor": time.process_time() - begun,
            "clock": time.perf_counter() - clock,
            "memory": processes.peak(),
        }


def save(tf, module, functions, folder):
    signatures = {
        name: tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32, name=argument))
        for name, (function, argument, shape) in functions.items()
    }
    tf.saved_model.save(module, folder, signatures=signatures)


def write_alexnet(path):
    """Random weights of AlexNet's size."""
    import numpy as np

    rng, before, arrays = np.random.default_rng(2), 3, {}
    for i, (number, channels, side) in enumerate([(0, 64, 11), (3, 192, 5), (6, 384, 3), (8, 256, 3), (10, 256, 3)]):
        shape = (channels, before, side, side)
        arrays[f"features.{number}.weight"] = rng.normal(0, (2 / (before * side**2)) ** 0.5, shape).astype(np.float32)
        arrays[f"features.{number}.bias"] = np.zeros(channels, np.float32)
        arrays[f"lin{i}.model.1.weight"] = np.ones((1, channels, 1, 1), np.float32)
        before = channels
    np.savez(path, **arrays)


def write_npz(path):
    """Random pictures, a slice at a time."""
    import zipfile

    import numpy as np

    rng = np.random.default_rng(1)
    with zipfile.ZipFile(path, "w") as archive, archive.open("arr_0.npy", "w", force_zip64=True) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (FLAGS.pictures, 128, 128, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(0, FLAGS.pictures, 100):
            coarse = rng.integers(0, 256, (100, 8, 8, 3), np.uint8)
            file.write(coarse.repeat(16, axis=1).repeat(16, axis=2).tobytes())


MEASURES = {
    "frechet": {"tensorflow-gan": frechet_tfgan, "ours": frechet_ours},
    "prdc": {"the prdc package": prdc_package, "ours": prdc_ours},
    "streaming": {group: functools.partial(streaming, group) for group in STREAMED},
}


def main(_):
    """Measures every line in a child process and prints the table."""
    if FLAGS.measure:
        what, who = FLAGS.measure.split(":")
        function = MEASURES[what][who]
        print(json.dumps(function() if what == "streaming" else timed(function)))
        return
    print(f"{'':12}{'':18}{'processor s':>12}{'clock s':>10}{'peak MB':>10}   answer")
    for what in FLAGS.only:
        found = {}
        for who in (what == "streaming" and FLAGS.streamed) or MEASURES[what]:
            settings = [f"--{name}={getattr(FLAGS, name)}" for name in ("n", "features", "pictures")]
            arguments = [__file__, f"--measure={what}:{who}", *settings]
            found[who] = json.loads(processes.answer(arguments, f"{what} of {who}"))
            row = found[who]
            numbers = f"{row['processor']:12.1f}{row['clock']:10.1f}{row['memory'] / 1e6:10.0f}"
            label = f"{who}, {FLAGS.pictures:,}" if what == "streaming" else who
            print(f"{what:12}{label:18}{numbers}   {row['answer']}", flush=True)
        if what != "streaming":
            other, ours = found.values()
            ratios = {name: other[name] / ours[name] for name in ("processor", "clock", "memory")}
            print(f"{what:12}{'the other over ours':18}{''.join(f'{ratio:11.2f}' for ratio in ratios.values())}")


if __name__ == "__main__":
    app.run(main)
