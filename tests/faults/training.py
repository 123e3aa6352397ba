"""SIGKILL and SIGTERM at any moment of a training: it ends where an undisturbed one ends, to the bit."""

import shutil
import signal
import time
from pathlib import Path
from random import Random

from tests.faults._harness import (
    INTERVAL,
    STEPS,
    SYSTEMS,
    differences,
    finished,
    reference,
    steps,
    train,
    wait_for,
    wait_for_lines,
)


class Training:
    """A run that is ended by signals again and again, and goes on."""

    def __init__(self, scratch: Path, system: str, devices: int):
        self.name = f"training {system} on {devices} device(s)"
        self.scratch, self.system, self.devices = scratch, system, devices
        self.folder = scratch / f"{system}_{devices}"
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        while True:
            before = len(steps(self.folder))
            run = train(self.folder, self.system, self.devices)
            if draw.random() < 0.3:
                wait_for(draw.uniform(0.0, 5.0), run)
            else:
                wait_for_lines(min(before + draw.randint(1, 4), STEPS // INTERVAL), self.folder, run)
                wait_for(draw.uniform(0.0, 0.15), run)
            number = draw.choice([signal.SIGKILL] * 4 + [signal.SIGTERM])
            run.signal(number)
            begun, code = time.monotonic(), run.wait(60.0)
            if code == 0:  # it was faster: the next one begins anew
                self.lost += self._compared(run)
                shutil.rmtree(self.folder)
                continue
            if code not in (-number, 128 + number):
                self.lost.append(f"{number.name}: exit code {code}")
            where = (
                f"behind the line of step {steps(self.folder)[-1]}" if steps(self.folder) else "before the first line"
            )
            return f"{number.name} {where}, ended within {time.monotonic() - begun:.1f} s"

    def losses(self) -> list[str]:
        return self.lost + self._compared(train(self.folder, self.system, self.devices))

    def _compared(self, run) -> list[str]:
        return finished(run) or differences(self.folder, reference(self.scratch, self.system, self.devices))


def scenarios(scratch: Path):
    for devices in (1, 2):
        for system in SYSTEMS:
            yield Training(scratch, system, devices)
