"""Which kinds of faults there are, and how they are injected."""

import importlib
import pkgutil
import random
import sys
from pathlib import Path

import tests.faults


def kinds() -> dict:
    """The modules that have `scenarios`, by their names."""
    names = [module.name for module in pkgutil.iter_modules(tests.faults.__path__)]
    return {n: importlib.import_module(f"tests.faults.{n}") for n in names if not n.startswith(("_", "test_"))}


def inject(kind: str, rounds: int, seed: int, scratch: Path) -> tuple[list[str], list[str]]:
    """What the faults of a kind were, `rounds` for each scenario, and what was lost; both are said as it happens."""
    faults, losses = [], []
    for scenario in kinds()[kind].scenarios(scratch / kind):
        draw = random.Random(f"{seed} {scenario.name}")
        for _ in range(rounds):
            faults.append(f"{scenario.name}: {scenario.fault(draw)}")
            print(faults[-1], file=sys.stderr, flush=True)
        lost = [f"{scenario.name}: {loss}" for loss in scenario.losses()]
        losses += lost
        said = "\n".join(f"LOST {loss}" for loss in lost) or f"{scenario.name}: nothing lost"
        print(said, file=sys.stderr, flush=True)
    return faults, losses
