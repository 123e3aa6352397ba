"""Files of a run that are cut off or have a wrong bit: said, and no more is lost than they hold."""

import os
import shutil
import signal
from pathlib import Path
from random import Random

from tests import small_data
from tests.faults._harness import (
    STEPS,
    differences,
    last_line,
    one_line_error,
    reference,
    steps,
    train,
    wait_for,
    wait_for_lines,
)

# What of a run that was stopped half way is damaged, and what of its end may then differ.
FILES = {
    "checkpoints/*.data-*": (),
    "checkpoints/*.index": (),
    "config.gin": (),
    "data.json": (),
    "metrics.jsonl": ("metrics.jsonl",),
    "pictures/*.png": None,  # whatever it shows; it is left out of the animation
    "tensorboard/*": (),
}


class Damage:
    """One kind of file of a stopped run, which is damaged and then goes on."""

    def __init__(self, scratch: Path, pattern: str):
        self.name, self.scratch, self.pattern = f"damage {pattern}", scratch, pattern
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        folder = self.scratch / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._stopped(), folder)
        path = draw.choice(sorted(folder.glob(self.pattern)))
        what = f"{draw.choice([_cut, _flip])(path, draw)} of {path.relative_to(folder)}"
        run = train(folder)
        code = run.wait()
        if code == 1 and self.pattern in ("config.gin", "data.json"):  # it is the user's to say what it was
            self.lost += [f"{what}: {loss}" for loss in one_line_error(run)]
            if str(path) not in run.said() and "other settings" not in run.said() and "other data" not in run.said():
                self.lost.append(f"{what}: not named: {last_line(run)}")
            shutil.copy(self._stopped() / path.name, path)
            run = train(folder)
            run.wait()
        self.lost += [f"{what}: {loss}" for loss in self._compared(run, folder, path)]
        return what

    def _compared(self, run, folder: Path, path: Path) -> list[str]:
        if run.wait() != 0:
            return [f"exit code {run.wait()}: {last_line(run)}"]
        ignore = FILES[self.pattern]
        if ignore is None:
            ignore = (f"pictures/{path.name}", "pictures/density.gif")
        lost = differences(folder, reference(self.scratch), ignore)
        if self.pattern == "metrics.jsonl":
            missing = len(steps(reference(self.scratch))) - len(steps(folder))
            named = run.said().count("is damaged and is left out") + run.said().count(" lacks ")
            if missing > 0 and not named:
                lost.append("lines are missing and nobody said so")
        return lost

    def losses(self) -> list[str]:
        return self.lost

    def _stopped(self) -> Path:
        folder = self.scratch / "stopped"
        while not folder.exists() or not steps(folder) or steps(folder)[-1] == STEPS:
            shutil.rmtree(folder, ignore_errors=True)
            run = train(folder)
            wait_for_lines(6, folder, run)
            wait_for(0.05, run)
            run.signal(signal.SIGTERM)
            run.wait()
        return folder


class Prepared:
    """A file of a prepared data set, which is damaged before a run reads it: it is named, and nothing is trained."""

    PARAMS = (
        "import pipelines.mnist",
        "train.data = @mnist",
        "mnist.held_out = 4",
        "data_shape = (28, 28, 1)",
        "train.metrics = []",
        "train.pictures = []",
        "train.samples = 4",
    )

    def __init__(self, scratch: Path, pattern: str):
        self.name, self.scratch, self.pattern = f"damage {pattern}", scratch, pattern
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        folder, data, run_dir = self.scratch / "prepared", self.scratch / "data", self.scratch / "unread"
        if not folder.exists():
            small_data.prepare(str(folder), ["mnist"])
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(folder, data)
        path = draw.choice(sorted(data.rglob(self.pattern)))
        what = f"{draw.choice([_cut, _flip])(path, draw)} of {path.relative_to(data)}"
        run = train(run_dir, params=[*self.PARAMS, f"prepared.data_dir = '{data}'"])
        lost = one_line_error(run)
        if str(path) not in run.said():
            lost.append(f"not named: {last_line(run)}")
        lost += [f"{path.name} is written" for path in run_dir.rglob("*")]
        self.lost += [f"{what}: {loss}" for loss in lost]
        return what

    def losses(self) -> list[str]:
        return self.lost


def _cut(path: Path, draw: Random) -> str:
    size = path.stat().st_size
    left = draw.randrange(size)
    os.truncate(path, left)
    return f"all behind byte {left} of {size}"


def _flip(path: Path, draw: Random) -> str:
    content = bytearray(path.read_bytes())
    bit = draw.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return f"bit {bit} of {8 * len(content)}"


def scenarios(scratch: Path):
    for pattern in FILES:
        yield Damage(scratch, pattern)
    yield Prepared(scratch, "*.tfrecord-*")
