"""Which kinds of faults there are, and how they are injected."""

import importlib
import pkgutil
import random
from collections import Counter
from pathlib import Path

import tests.faults


def kinds() -> dict:
    """The modules that have `scenarios`, by their names."""
    names = [module.name for module in pkgutil.iter_modules(tests.faults.__path__)]
    return {n: importlib.import_module(f"tests.faults.{n}") for n in names if not n.startswith(("_", "test_"))}


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
