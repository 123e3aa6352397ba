"""Does the density ratio of a classifier estimate the KL between two Gaussians, and does it serve to minimize it?

    python benchmarks/density_ratio.py --dimensions=1,10,100

Rosca et al., Distribution Matching in Variational Inference (2018), appendix D. Both Gaussians are x = W'z + b, with z
of k = 10 d dimensions (eq. 13). *Estimation*: both stay, a classifier learns to tell one from the other, and its mean
logit is beside the true KL. *Minimization*: W and b of the second are learned from the classifier's gradient (the
reverse KL), with 1 or 5 updates of the classifier for each of theirs; the true KL tells whether it works.

As in the paper: four layers, Adam (0.5, 0.9), a rate of 1e-3 for W and b. Not stated there and ours: W ~ N(0, 1 / k)
and b ~ N(0, 1), batches of 128. Less than there, for a CPU: 256 units a layer (theirs had 100 million parameters), few
steps (theirs 1,000,000), few runs (theirs 10). On a GPU: --dimensions=1,10,100,1000 --hidden=5000 --steps=1000000
--runs=10 --critic_rate=1e-4.

Each result is a line of benchmarks/results/density_ratio.jsonl (--out); what is there already is not run again. Then
the figure beside it is drawn.
"""

import itertools
import math
import time

import numpy as np
import recorded
from absl import flags
from matplotlib.figure import Figure
from tqdm import tqdm

from bms_tf.core import command

EXAMPLE = "python benchmarks/density_ratio.py --dimensions=1,10 --steps=2000 --runs=1"
DIMENSIONS = flags.DEFINE_list("dimensions", ["1", "10", "100"], "d, the sizes of x.")
CRITIC_UPDATES = flags.DEFINE_list("critic_updates", ["1", "5"], "Of the classifier, for each of W and b.")
RUNS = flags.DEFINE_integer("runs", 1, "Pairs of Gaussians, each with a classifier of its own.", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 3000, "Updates of W and b; in estimation, of the classifier.", lower_bound=1)
POINTS = flags.DEFINE_integer("points", 40, "Points of a curve.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch", 128, "Draws of each Gaussian in an update.", lower_bound=1)
HIDDEN = flags.DEFINE_integer("hidden", 256, "Units of each of the classifier's hidden layers.", lower_bound=1)
LAYERS = flags.DEFINE_integer("layers", 4, "The classifier's layers, with the last one.", lower_bound=1)
CRITIC_RATE = flags.DEFINE_float("critic_rate", 1e-3, "The classifier's learning rate; the paper: 1e-4 and 1e-3.")
RATE = flags.DEFINE_float("rate", 1e-3, "The learning rate of W and b.")
OUT = flags.DEFINE_string("out", "density_ratio", "The name of the lines and of the figure in benchmarks/results/.")

SCORED = 10_000  # draws of the estimate


def kl(mean_q, covariance_q, mean_p, covariance_p):
    """KL[q || p] of two Gaussians in nats: means [d], covariances [d, d], in float64."""
    factor = np.linalg.cholesky(covariance_p)
    shift = np.linalg.solve(factor, mean_q - mean_p)
    inside = np.linalg.solve(factor, np.linalg.cholesky(covariance_q))
    log_det = 2 * np.log(np.abs(np.diag(inside))).sum()
    return 0.5 * float(np.sum(inside**2) + shift @ shift - len(shift) - log_det)


def initial(d, rng):
    """W [10 d, d] and b [d] of one Gaussian."""
    return rng.normal(size=(10 * d, d)) / math.sqrt(10 * d), rng.normal(size=d)


def measure(d, updates, run):
    """The curve of one run: `updates` of the classifier for each of W and b, or None for both Gaussians at rest."""
    import tensorflow as tf

    from bms_tf.core.keras import keras
    from bms_tf.metrics import fitting

    rng = np.random.default_rng([run, d])
    (w_p, b_p), (w_q, b_q) = initial(d, rng), initial(d, rng)
    covariance_p = w_p.T @ w_p
    root_p, mean_p = tf.constant(np.linalg.cholesky(covariance_p), tf.float32), tf.constant(b_p, tf.float32)
    w, b = tf.Variable(w_q, dtype=tf.float32), tf.Variable(b_q, dtype=tf.float32)
    root_q = tf.constant(np.linalg.cholesky(w_q.T @ w_q), tf.float32)
    critic = fitting.mlp(d, [HIDDEN.value] * (LAYERS.value - 1), seed=1000 * run)
    weights = critic.trainable_variables
    critic_adam, adam = (keras.optimizers.Adam(r, beta_1=0.5, beta_2=0.9) for r in (CRITIC_RATE.value, RATE.value))
    critic_adam.build(weights)
    adam.build([w, b])

    def true(count, key):  # the same distribution as W'z + b, from d normal numbers instead of k
        return tf.random.stateless_normal([count, d], key) @ tf.transpose(root_p) + mean_p

    def learned(count, key):
        if updates is None:
            return tf.random.stateless_normal([count, d], key) @ tf.transpose(root_q) + b
        return tf.random.stateless_normal([count, 10 * d], key) @ w + b

    def update_critic(key):
        x, x_gen = true(BATCH.value, fitting.fold(key, 0)), learned(BATCH.value, fitting.fold(key, 1))
        with tf.GradientTape() as tape:  # label 1 for the true Gaussian
            loss = tf.reduce_mean(tf.nn.softplus(-critic(x)) + tf.nn.softplus(critic(x_gen)))
        critic_adam.apply_gradients(zip(tape.gradient(loss, weights), weights))

    @tf.function
    def advance(begin, end):
        for step in tf.range(begin, end):
            key = tf.stack([tf.constant(run, tf.int64), step])
            for i in range(updates or 1):
                update_critic(fitting.fold(key, 2 + i))
            if updates:
                with tf.GradientTape() as tape:  # -log D / (1 - D), the reverse KL's loss
                    loss = tf.reduce_mean(-critic(learned(BATCH.value, fitting.fold(key, 1))))
                adam.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b]))

    @tf.function
    def estimate():
        return tf.reduce_mean(-critic(learned(SCORED, tf.constant([run, -1], tf.int64))))

    def truth():
        learned_w = w.numpy().astype(np.float64)
        return kl(b.numpy().astype(np.float64), learned_w.T @ learned_w, b_p, covariance_p)

    curve = [(0, truth(), None)]
    begun = time.process_time()
    name = "estimation" if updates is None else f"minimization, {updates} updates"
    bounds = np.unique(np.linspace(0, STEPS.value, POINTS.value + 1).astype(np.int64))
    for begin, end in tqdm([*itertools.pairwise(bounds)], desc=f"d = {d}, run {run}, {name}"):
        advance(tf.constant(begin), tf.constant(end))
        curve.append((int(end), truth(), float(estimate())))
    return {"curve": curve, "processor_seconds": round(time.process_time() - begun, 1)}


def settings():
    """What a line depends on besides its job."""
    return {
        "steps": STEPS.value,
        "batch": BATCH.value,
        "hidden": HIDDEN.value,
        "layers": LAYERS.value,
        "critic_rate": CRITIC_RATE.value,
        "rate": RATE.value,
    }


def jobs():
    """What is asked for, the small dimensions first."""
    for flag, values in (("dimensions", DIMENSIONS.value), ("critic_updates", CRITIC_UPDATES.value)):
        if not all(value.isdigit() and int(value) for value in values):
            raise ValueError(f"--{flag} is {','.join(values)}; it must be whole numbers of at least 1, as in 1,10")
    for name, rate in {"critic_rate": CRITIC_RATE.value, "rate": RATE.value}.items():
        if rate <= 0:
            raise ValueError(f"--{name} is {rate}; it must be positive")
    kinds = [None, *map(int, CRITIC_UPDATES.value)]
    for d, run, updates in itertools.product(map(int, DIMENSIONS.value), range(RUNS.value), kinds):
        yield {"d": d, "run": run, "critic_updates": updates, **settings()}


def figure(rows):
    """For each d: the true KL over the updates, the classifier's estimates of it, and both where nothing is learned."""
    sizes = sorted({row["d"] for row in rows})
    result = Figure(figsize=(4.6 * len(sizes), 4.2), layout="constrained")
    for axes, d in zip(result.subplots(1, len(sizes), squeeze=False)[0], sizes):
        mine = [row for row in rows if row["d"] == d]
        for updates, color in zip(
            sorted({row["critic_updates"] or 0 for row in mine}), ("gray", "tab:blue", "tab:red")
        ):
            runs = [row["curve"] for row in mine if (row["critic_updates"] or 0) == updates]
            steps = [point[0] for point in runs[0]]
            truth = np.mean([[point[1] for point in curve] for curve in runs], axis=0)
            estimate = np.mean([[point[2] for point in curve[1:]] for curve in runs], axis=0)
            label = f"learned, {updates} classifier update(s)" if updates else "at rest"
            axes.plot(steps, truth, color=color, label=f"true KL, {label}")
            axes.plot(steps[1:], estimate, "--", color=color, label="its estimate by the classifier")
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set(xlabel="updates", ylabel="KL in nats", title=f"d = {d}: {len(runs)} run(s)")
        axes.legend(fontsize=7)
    result.suptitle("KL of two Gaussians and its estimate by a classifier; mean over the runs")
    return result


def main(_):
    """Runs what is missing, prints a table and draws the figure."""
    wanted = list(jobs())
    from bms_tf.core import startup

    startup.import_tensorflow()
    recorded.RESULTS.mkdir(exist_ok=True)
    for job in wanted:
        if not recorded.those(recorded.read(OUT.value), job):
            row = {**job, **measure(job["d"], job["critic_updates"], job["run"])}
            recorded.write(OUT.value, [*recorded.read(OUT.value), row])
    rows = [row for row in recorded.read(OUT.value) if all(row[name] == v for name, v in settings().items())]
    print("| d | classifier updates | run | true KL, first | last | estimate, last |\n|" + " --- |" * 6)
    for row in sorted(rows, key=lambda row: (row["d"], row["critic_updates"] or 0, row["run"])):
        (_, first, _), (_, last, found) = row["curve"][0], row["curve"][-1]
        cells = [row["d"], row["critic_updates"] or "at rest", row["run"], *(f"{x:.3g}" for x in (first, last, found))]
        print(f"| {' | '.join(map(str, cells))} |")
    path = recorded.RESULTS / f"{OUT.value}.png"
    figure(rows).savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    command.run(main, EXAMPLE)
