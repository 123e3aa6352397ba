"""SIGKILL at any moment of a report: the page and its tables are whole or not there."""

import signal
import time
from pathlib import Path
from random import Random

from tests.faults._harness import Command, finished, reference, wait_for


class Report:
    """Reports of one run that are killed, all to one page."""

    name = "reporting"

    def __init__(self, scratch: Path):
        self.scratch, self.folder = scratch, scratch / "page"
        self.lost: list[str] = []

    def _report(self, folder: Path) -> Command:
        folder.mkdir(parents=True, exist_ok=True)
        flags = [str(reference(self.scratch)), f"--out={folder / 'report.html'}"]
        return Command("bms_tf.report", flags, self.scratch / "report.log")

    def fault(self, draw: Random) -> str:
        undisturbed = self.scratch / "undisturbed"
        if not undisturbed.exists():
            reference(self.scratch)
            begun = time.monotonic()
            self.lost += finished(self._report(undisturbed))
            self.seconds = time.monotonic() - begun
        seconds = draw.uniform(0.0, 1.1 * self.seconds)
        report = self._report(self.folder)
        wait_for(seconds, report)
        report.signal(signal.SIGKILL)
        late = ", too late" * (report.wait() == 0)
        self.lost += self._differing()
        return f"SIGKILL after {seconds:.1f} s{late}; there are {sorted(_files(self.folder))}"

    def losses(self) -> list[str]:
        self.lost += finished(self._report(self.folder))
        missing = _files(self.scratch / "undisturbed").keys() - _files(self.folder).keys()
        return self.lost + self._differing() + [f"{name} is missing" for name in sorted(missing)]

    def _differing(self) -> list[str]:
        whole, found = _files(self.scratch / "undisturbed"), _files(self.folder)
        return [f"{name} is not as an undisturbed one" for name in sorted(found) if found[name] != whole.get(name)]


def _files(folder: Path) -> dict[str, bytes]:
    """By name; not those with a suffix of files.write_whole, which a killed writer leaves."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".html", ".md", ".csv", ".tex")}


def scenarios(scratch: Path):
    yield Report(scratch)
