"""SIGKILL at any moment of a report: the page and its tables are whole or not there."""

from pathlib import Path

from tests.faults._harness import Command, finished, reference
from tests.faults._killed import Killed


class Report(Killed):
    """Reports of one run that are killed, all to one page."""

    name = "reporting"

    def start(self, folder: Path) -> Command:
        folder.mkdir(parents=True, exist_ok=True)
        flags = [str(reference(self.scratch)), f"--out={folder / 'report.html'}"]
        return Command("bms_tf.report", flags, self.scratch / "report.log")

    def left(self) -> str:
        self.lost += self._differing()
        return f"there are {sorted(_files(self.folder))}"

    def losses(self) -> list[str]:
        self.lost += finished(self.start(self.folder))
        missing = _files(self.undisturbed).keys() - _files(self.folder).keys()
        return self.lost + self._differing() + [f"{name} is missing" for name in sorted(missing)]

    def _differing(self) -> list[str]:
        whole, found = _files(self.undisturbed), _files(self.folder)
        return [f"{name} is not as an undisturbed one" for name in sorted(found) if found[name] != whole.get(name)]


def _files(folder: Path) -> dict[str, bytes]:
    """By name; not those with a suffix of files.write_whole, which a killed writer leaves."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".html", ".md", ".csv", ".tex")}


def scenarios(scratch: Path):
    yield Report(scratch)
