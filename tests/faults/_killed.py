"""What faults of a short command have in common: it is killed at any moment, and compared with one that never was."""

import signal
import time
from pathlib import Path
from random import Random

from tests.faults._harness import Command, finished, reference, wait_for


class Killed:
    """A command that begins anew after each kill, always in the same folder."""

    name: str

    def __init__(self, scratch: Path):
        self.scratch, self.folder, self.undisturbed = scratch, scratch / "killed", scratch / "undisturbed"
        self.lost: list[str] = []

    def start(self, folder: Path) -> Command:
        """The command at work, on the undisturbed run and into `folder`."""
        raise TypeError(f"{type(self).__name__} must define start()")

    def left(self) -> str:
        """What the killed ones have left so far."""
        raise TypeError(f"{type(self).__name__} must define left()")

    def kill(self, command: Command, draw: Random) -> str:
        """Ends it by SIGKILL; says what else was ended."""
        command.signal(signal.SIGKILL)
        return "alone"

    def fault(self, draw: Random) -> str:
        if not self.undisturbed.exists():
            reference(self.scratch)
            begun = time.monotonic()
            self.lost += finished(self.start(self.undisturbed))
            self.seconds = time.monotonic() - begun
        seconds = draw.uniform(0.0, 1.1 * self.seconds)
        command = self.start(self.folder)
        wait_for(seconds, command)
        how = self.kill(command, draw)
        late = ", too late" * (command.wait() == 0)
        return f"SIGKILL {how} after {seconds:.1f} s{late}; {self.left()}"
