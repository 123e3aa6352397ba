"""Injects faults into commands that are at work, and looks at what was lost: python -m tests.faults --rounds=3

Every scenario gets one fault a round. A line on stderr says what it was; a table, and what was lost, are printed, for
`> benchmarks/results/faults.txt`. The exit code is 1 where anything was lost. Another kind of fault is another file in
this folder with a `scenarios(scratch)`.
"""

import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

from bms_tf.core import startup
from tests.faults._injection import inject, kinds

flags.DEFINE_integer("rounds", 1, "How many faults each scenario gets.", lower_bound=1)
flags.DEFINE_list("only", [], "Kinds of faults, by the names of the files; all if not given.")
flags.DEFINE_integer("seed", 0, "Of what, when and where.")
flags.DEFINE_string("keep", None, "Where the folders stay in which it all happened; if not given they do not.")
FLAGS = flags.FLAGS


def main(_):
    """Injects all of them and prints the table."""
    startup.import_tensorflow()
    unknown = set(FLAGS.only) - set(kinds())
    if unknown:
        raise app.UsageError(f"--only has {', '.join(sorted(unknown))}; there are {', '.join(kinds())}")
    print(" ".join(["python -m tests.faults", *sys.argv[1:]]))
    print(f"\n{'kind':12}{'faults':>8}{'SIGKILL':>9}{'losses':>8}{'minutes':>9}", flush=True)
    losses = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind in FLAGS.only or kinds():
            begun = time.monotonic()
            faults, lost = inject(kind, FLAGS.rounds, FLAGS.seed, Path(FLAGS.keep or scratch))
            killed = sum("SIGKILL" in fault and "too late" not in fault for fault in faults)
            minutes = (time.monotonic() - begun) / 60
            print(f"{kind:12}{len(faults):8}{killed:9}{len(lost):8}{minutes:9.1f}", flush=True)
            losses += lost
    print("\n".join(["", *(f"LOST {loss}" for loss in losses)]) if losses else "\nnothing lost")
    sys.exit(bool(losses))


if __name__ == "__main__":
    app.run(main)
