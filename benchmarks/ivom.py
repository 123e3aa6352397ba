"""IvOM of 1,000 digits: how long it takes, and the closest images of several models beside each other.

    python benchmarks/ivom.py digits=savedmodels/digits

Each argument is NAME=MODEL, a SavedModel or a run folder. The test digits come first, then training ones. A line for
each model goes to benchmarks/results/ivom.jsonl, the picture beside it.
"""

import os
import time

import numpy as np
import recorded
from absl import app, flags

from bms_tf.core import startup

flags.DEFINE_integer("examples", 1000, "How many digits.", lower_bound=1)
FLAGS = flags.FLAGS


def main(argv):
    """Measures every model that is named."""
    tf = startup.import_tensorflow()
    from bms_tf.evaluation import models
    from bms_tf.metrics.ivom import closest, side_by_side
    from pipelines.digits import digits

    x = np.concatenate([batch for split in ("test", "train_once") for batch in digits(split, 0, 500, 0)])
    x = x[: FLAGS.examples]
    rows, found = [], {}
    for name, folder in recorded.named(argv, "digits=savedmodels/digits"):
        model = models.load(str(folder)).model
        begun, processor = time.monotonic(), time.process_time()
        answer = closest(model, x, seed=0, starts=3, screening=30, iterations=300)
        rows.append(
            {
                "model": name,
                "examples": len(x),
                "ivom": float(answer.errors.mean() / 4),
                "converged_percent": 100 * float(answer.converged.mean()),
                "code_rms": float(np.sqrt(np.mean(answer.codes**2))),
                "seconds": round(time.monotonic() - begun, 1),
                "processor_seconds": round(time.process_time() - processor, 1),
                "cores": len(os.sched_getaffinity(0)),
                "tensorflow": tf.__version__,
            }
        )
        found[name] = answer.examples
        print(rows[-1], flush=True)
    recorded.write("ivom", rows)
    side_by_side(x, found).savefig(recorded.RESULTS / "ivom.png", dpi=110)


if __name__ == "__main__":
    app.run(main)
