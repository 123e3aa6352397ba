"""Injects faults into commands that are at work, and looks at what was lost: python -m tests.faults --rounds=3

Every scenario gets one fault a round. A line is printed for each, then a table; the exit code is 1 where anything was
lost. Another kind of fault is another file in this folder with a `scenarios(scratch)`.
"""

import sys
import tempfile
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
    with tempfile.TemporaryDirectory() as scratch:
        faults, losses = inject(FLAGS.rounds, FLAGS.only, FLAGS.seed, Path(FLAGS.keep or scratch))
    print(f"\n{'kind':12}{'faults':>8}{'losses':>8}")
    for kind in [*faults, "all"]:
        count = faults.total() if kind == "all" else faults[kind]
        lost = losses if kind == "all" else [loss for loss in losses if loss.startswith((f"{kind} ", f"{kind}:"))]
        print(f"{kind:12}{count:8}{len(lost):8}")
    sys.exit(bool(losses))


if __name__ == "__main__":
    app.run(main)
