"""SIGKILL at any moment of a study: the same command ends with the same table, and no run is counted twice."""

import json
import signal
from collections import Counter
from pathlib import Path
from random import Random

import psutil

from tests.faults._harness import Command, finished
from tests.faults._killed import Killed

TINY = Path(__file__).parents[1] / "studies/tiny.gin"


class Reproduced(Killed):
    """A study of one method, with its trials, those beyond an edge, and two seeds."""

    name = "reproducing"

    def start(self, folder: Path) -> Command:
        folder.mkdir(parents=True, exist_ok=True)
        study = self.scratch / "tiny.gin"
        study.write_text(f"include {str(TINY)!r}\nstudy.methods = [@one/method()]\n")
        # A run in which three processes died has failed; many rounds may come to that.
        flags = [f"--study={study}", f"--study_dir={folder / 'study'}", "--retry"]
        return Command("bms_tf.reproduce", flags, folder.with_suffix(".log"))

    def kill(self, command: Command, draw: Random) -> str:
        """The command alone, whose worker then ends its run, or every process at once, as when a machine goes down."""
        try:
            children = psutil.Process(command.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            children = []
        victims = children if draw.random() < 0.5 else []
        command.signal(signal.SIGKILL)
        for child in victims:
            if child.is_running():
                child.kill()
        return f"with {len(victims)} of {len(children)} children"

    def left(self) -> str:
        return f"there are {len(_lines(self.folder))} runs"

    def losses(self) -> list[str]:
        lost = self.lost + finished(self.start(self.folder))
        twice = [run for run, count in Counter(_lines(self.folder)).items() if count > 1]
        lost += [f"counted twice: {run}" for run in twice]
        ours, whole = (_outcome(folder) for folder in (self.folder, self.undisturbed))
        return lost + [f"{name} is not as an undisturbed one" for name in whole if ours.get(name) != whole[name]]


def _lines(folder: Path) -> list[str]:
    """The run of each line, in words; a line that a kill cut off is none."""
    path = folder / "study/runs.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return [f"{row['method']}, {row['setting']}, seed {row['seed']}" for row in rows]


def _outcome(folder: Path) -> dict[str, object]:
    """What must be the same: the runs and the table, whose Markdown also says when it was made."""
    table = folder / "study/table.csv"
    return {"runs.jsonl": sorted(_lines(folder)), "table.csv": table.read_text() if table.exists() else None}


def scenarios(scratch: Path):
    yield Reproduced(scratch)
