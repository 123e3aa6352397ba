"""A clock that is set back by a year while a run is at work, so that its files are of the future when it goes on."""

import os
import shutil
import signal
import time
from pathlib import Path
from random import Random

from tests.faults._harness import INTERVAL, STEPS, differences, finished, reference, train, wait_for, wait_for_lines

DAY = 24 * 3600


class Clock:
    """A run that is stopped, and goes on under a clock which says that it has not begun."""

    name = "clock set back, training"

    def __init__(self, scratch: Path):
        self.scratch = scratch
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        folder = self.scratch / "run"
        shutil.rmtree(folder, ignore_errors=True)
        seconds = draw.uniform(0.0, 5.0)
        run = train(folder, clock_back=seconds)
        lines = draw.randrange(STEPS // INTERVAL - 1)
        wait_for_lines(lines, folder, run)
        wait_for(draw.uniform(0.0, 0.1), run)
        run.signal(signal.SIGTERM)
        run.wait()
        for path in folder.rglob("*"):  # as the file system would have them, whose clock was not set back above
            os.utime(path, times=(time.time() + DAY,) * 2)
        what = f"after {seconds:.1f} s, then stopped behind line {lines}"
        self.lost += [f"{what}: {loss}" for loss in finished(train(folder, clock_back=0.0))]
        self.lost += [f"{what}: {loss}" for loss in differences(folder, reference(self.scratch))]
        return what

    def losses(self) -> list[str]:
        return self.lost


def scenarios(scratch: Path):
    yield Clock(scratch)
