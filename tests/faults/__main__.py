"""Injects faults into commands that are at work, and looks at what was lost: python -m tests.faults --rounds=3

Every scenario gets one fault a round. A line is printed for each, then a table; the exit code is 1 where anything was
lost. Another kind of fault is another file in this folder with a `scenarios(scratch)`.
"""

import importlib
import pkgutil
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from absl import app, flags

import tests.faults

flags.DEFINE_integer("rounds", 1, "How many faults each scenario gets.", lower_bound=1)
flags.DEFINE_list("only", [], "Kinds of faults, by the names of the files; all if not given.")
flags.DEFINE_integer("seed", 0, "Of what, when and where.")
flags.DEFINE_string("keep", None, "Where the folders stay in which it all happened; if not given they do not.")
FLAGS = flags.FLAGS


def kinds() -> dict:
    """The modules that have scenarios, by their names."""
    modules = {module.name: module.name for module in pkgutil.iter_modules(tests.faults.__path__)}
    found = {name: importlib.import_module(f"tests.faults.{name}") for name in modules if name[:1] != "_"}
    return {name: module for name, module in found.items() if hasattr(module, "scenarios")}


def inject(rounds: int, only: list[str], seed: int, scratch: Path) -> tuple[Counter, list[str]]:
    """How many faults of each kind there were, and what was lost."""
    faults, losses = Counter(), []
    for kind, module in kinds().items():
        if only and kind not in only:
            continue
        for scenario in module.scenarios(scratch / kind):
            draw = random.Random(f"{seed} {scenario.name}")
            for _ in range(rounds):
                what = scenario.fault(draw)
                faults[kind] += 1
                print(f"{scenario.name}: {what}", flush=True)
            lost = [f"{scenario.name}: {loss}" for loss in scenario.losses()]
            losses += lost
            print("\n".join(f"LOST {loss}" for loss in lost) or f"{scenario.name}: nothing lost", flush=True)
    return faults, losses


def main(_):
    """Injects all of them and prints the table."""
    unknown = set(FLAGS.only) - set(kinds())
    if unknown:
        raise app.UsageError(f"--only has {', '.join(sorted(unknown))}; there are {', '.join(kinds())}")
    with tempfile.TemporaryDirectory() as scratch:
        faults, losses = inject(FLAGS.rounds, FLAGS.only, FLAGS.seed, Path(FLAGS.keep or scratch))
    print(f"\n{'kind':12}{'faults':>8}{'losses':>8}")
    for kind in [*faults, "all"]:
        count = faults.total() if kind == "all" else faults[kind]
        lost = losses if kind == "all" else [loss for loss in losses if loss.startswith(f"{kind} ")]
        print(f"{kind:12}{count:8}{len(lost):8}")
    sys.exit(bool(losses))


if __name__ == "__main__":
    app.run(main)
