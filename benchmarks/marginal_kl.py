"""log q(z) of 10,000 codes under 60,000 Gaussians of 100 dimensions: seconds, memory, and what float32 would cost.

    python benchmarks/marginal_kl.py

The float32 row is the same matrix product in float32, with the largest difference it makes to log q(z), in nats.
"""

import os
import resource
import time

import numpy as np
from absl import app, flags

from bms_tf.metrics.aggregate_posterior import log_mean_of_gaussians

CODES = flags.DEFINE_integer("codes", 10_000, "M.", lower_bound=1)
DATA = flags.DEFINE_integer("data", 60_000, "N.", lower_bound=1)
SIZE = flags.DEFINE_integer("code_size", 100, "Z.", lower_bound=1)


def main(_):
    """Prints a row for each precision."""
    rng = np.random.default_rng(0)
    mean = rng.standard_normal((DATA.value, SIZE.value))
    log_stddev = 0.5 * rng.standard_normal(mean.shape) - 2  # deviations around .14
    index = rng.permutation(DATA.value)[: CODES.value]
    z = mean[index] + np.exp(log_stddev[index]) * rng.standard_normal((len(index), SIZE.value))
    found = {}
    print("| precision | seconds | processor seconds | peak memory, GB | largest difference, nats |\n|" + " --- |" * 5)
    for precision in (np.float64, np.float32):
        begun, processor = time.monotonic(), time.process_time()
        found[precision] = log_mean_of_gaussians(*(x.astype(precision) for x in (z, mean, log_stddev)))
        seconds = time.monotonic() - begun, time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        gap = np.abs(found[precision] - found[np.float64]).max()
        cells = [precision.__name__, *(f"{x:.1f}" for x in seconds), f"{peak:.2f}", f"{gap:.2g}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"{CODES.value} codes, {DATA.value} data, {SIZE.value} dimensions, {len(os.sched_getaffinity(0))} cores")


if __name__ == "__main__":
    app.run(main)
