"""SIGKILL to one of two workers at any moment: the other ends in one line, and both go on to the end, to the bit."""

import shutil
import signal
import time
from pathlib import Path
from random import Random

from tests.commands import free_ports
from tests.faults._harness import (
    INTERVAL,
    STEPS,
    Command,
    differences,
    finished,
    one_line_error,
    steps,
    train,
    wait_for,
    wait_for_lines,
)

LIMIT = 120.0  # seconds for the other to end, on a busy machine; on an idle one half a minute


class Workers:
    """A run of two processes that is begun again and again, and each time loses one of them."""

    name = "workers"

    def __init__(self, scratch: Path):
        self.folder, self.undisturbed = scratch / "run", scratch / "undisturbed"
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        while True:
            before = len(steps(self.folder))
            if before == STEPS // INTERVAL:  # a worker that is lost before it joins the other is one that is waited for
                shutil.rmtree(self.folder)
                before = 0
            both = _start(self.folder)
            wait_for_lines(min(before + draw.randint(1, 4), STEPS // INTERVAL), self.folder, both[0])
            wait_for(draw.uniform(0.0, 0.15), both[0])
            killed = draw.randrange(2)
            both[killed].signal(signal.SIGKILL)
            begun, codes = time.monotonic(), [command.wait(LIMIT) for command in both]
            if 0 in codes:  # they were faster: the next ones begin anew
                shutil.rmtree(self.folder)
                continue
            what = f"SIGKILL to worker {killed} behind line {len(steps(self.folder))}"
            self.lost += [f"{what}: {loss}" for loss in one_line_error(both[1 - killed])]
            return f"{what}, the other ended within {time.monotonic() - begun:.1f} s"

    def losses(self) -> list[str]:
        lost = [loss for folder in (self.folder, self.undisturbed) for loss in _ended(_start(folder))]
        return self.lost + (lost or differences(self.folder, self.undisturbed))


def _start(run_dir: Path) -> list[Command]:
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    return [train(run_dir, workers=workers, index=index) for index in range(2)]


def _ended(both: list[Command]) -> list[str]:
    return [loss for command in both for loss in finished(command)]


def scenarios(scratch: Path):
    yield Workers(scratch)
