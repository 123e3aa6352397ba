"""What a step of a BMS-VAE-GAN recipe costs: images per second, time by phase, peak memory, and the floor of large T.

    python benchmarks/recipes.py --gin_file=gin/digits.gin [--T=1,10,30] [--gin_param='train.batch_size = 16']

The floor of the cost of a step with T candidates over one with T = 1 is
1 + T * (one forward scoring) / (step at T = 1).
All times of a recipe are taken in turns in one process, and the least of each is shown; the peak of the resident set is
over what the process held after building, in one process for each T. The data are noise.
"""

import json
import sys
import time

import processes
from absl import app, flags

GIN_FILE = flags.DEFINE_multi_string("gin_file", ["gin/digits.gin"], "The recipe and what is put on top of it.")
GIN_PARAM = flags.DEFINE_multi_string("gin_param", [], "One more setting.")
T = flags.DEFINE_list("T", ["1", "10", "30"], "Samples per data point, 1 first.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "How often each time is taken.")
MEMORY_OF = flags.DEFINE_integer("memory_of", None, "Measure this T's memory; what child processes are called with.")


def build(many):
    """The recipe's run with T = many, one batch of noise, and its step."""
    from bms_tf.core import config, startup

    tf = startup.import_tensorflow()
    from bms_tf.core.training import new_run

    config.load(GIN_FILE.value, [*GIN_PARAM.value, f"BMSVAEGAN.T = {many}"])
    run = new_run()
    run.system.make_train_function()  # says which phases act
    shape = [run.examples_per_step, *run.system.data_shape]
    step = tf.function(run.system.train_step).get_concrete_function(tf.TensorSpec(shape))
    return run.system, tf.random.stateless_uniform(shape, [0, 0], -1.0, 1.0), step


def scoring(system, x):
    """A function that scores one candidate of each example, forward only, by every term that needs scores."""
    import tensorflow as tf

    @tf.function
    def score(z):
        real = system.judge(x)[0] if system.discriminator_loss.needs_real else None
        with system._scoring(system.gradient.precision):
            outputs = system._decode(z)
            scores = [system.visible.log_prob(x, outputs)]
            if system.synthetic_likelihood.needs_scores:
                scores.append(system._log_ratio(real, outputs))
        return scores

    z = tf.random.stateless_normal([1, x.shape[0], system.code_size], [0, 1])
    return lambda: score(z)


def seconds(functions):
    """The least time of each function, taken in turns so that a busy machine is as busy for all."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(ROUNDS.value):
        for name, function in functions.items():
            begun = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - begun)
    return {name: min(taken) for name, taken in times.items()}


def measure_memory(many):
    """Peak bytes of two steps, over what is held after building."""
    _, x, step = build(many)
    before = processes.resident()
    for _ in range(2):
        step(x)
    return processes.peak() - before


def main(_):
    """Prints a line for each T."""
    if MEMORY_OF.value:
        print(json.dumps(measure_memory(MEMORY_OF.value)))
        return
    functions, built = {}, {many: build(many) for many in map(int, T.value)}
    import tensorflow as tf  # build() has done so, without its noise

    for many, (system, x, step) in built.items():
        functions[many, "step"] = lambda step=step, x=x: step(x)
        seed, replica = tf.zeros([2], tf.int64), tf.constant(0)
        for name, losses in system._gradients.items():
            functions[many, name] = lambda losses=losses, x=x, args=(seed, replica): losses(x, *args)
    first, x, _ = built[1]
    functions["score"] = scoring(first, x)
    taken = seconds(functions)
    memory = {many: json.loads(child(many)) for many in built}
    print(f"{' '.join(GIN_FILE.value)}, {x.shape[0]} examples of {tuple(x.shape[1:])} a step")
    print(f"{'T':>3} {'images/s':>9} {'step ms':>8} {'/ T = 1':>8} {'floor':>6} {'MB':>6} {'/ T = 1':>8}  ms by phase")
    for many, (system, _, _) in built.items():
        step = taken[many, "step"]
        floor = 1 + many * taken["score"] / taken[1, "step"] if many > 1 else 1
        phases = ", ".join(f"{name} {1000 * taken[many, name]:.0f}" for name in system._gradients)
        print(
            f"{many:3} {x.shape[0] / step:9.1f} {1000 * step:8.0f} {step / taken[1, 'step']:8.2f} {floor:6.2f} "
            f"{memory[many] / 1e6:6.0f} {memory[many] / memory[1]:8.2f}  {phases}"
        )


def child(many):
    """The answer of a process of its own."""
    return processes.answer([*sys.argv, f"--memory_of={many}"], f"T = {many}")


if __name__ == "__main__":
    app.run(main)
