"""SIGKILL at any moment of a search: no trial is lost or counted twice, and each is as an undisturbed one."""

import json
import signal
from pathlib import Path
from random import Random

from tests.faults._harness import SYSTEMS, TINY, Command, finished, last_line, wait_for

SWEEP = (
    "import bms_tf.tuning.search",
    "tune.space = {'BMSVAEGAN.lambda_': @lambda/choice()}",
    "lambda/choice.values = (0.1, 1.0)",
    "tune.objectives = {'energy_distance': 'min'}",
    "tune.oracle = @grid_search",
    "tune.finalists = 1",
    "tune.fresh_seeds = (101,)",
)


class Search:
    """A search that is killed again and again, and goes on."""

    name = "tuning"

    def __init__(self, scratch: Path):
        self.scratch, self.folder = scratch, scratch / "search"
        self.lost: list[str] = []

    def _search(self, folder: Path) -> Command:
        params = [*TINY, *SYSTEMS["bms_vae_gan"], *SWEEP]
        flags = ["--gin_file=gin/ring.gin", *(f"--gin_param={param}" for param in params), f"--search_dir={folder}"]
        return Command("bms_tf.tune", flags, folder.with_suffix(".log"))

    def fault(self, draw: Random) -> str:
        search, seconds = self._search(self.folder), draw.uniform(0.0, 30.0)
        wait_for(seconds, search)
        search.signal(signal.SIGKILL)
        code = search.wait()
        return f"SIGKILL after {seconds:.1f} s{', too late' if code == 0 else ''}: {last_line(search)}"

    def losses(self) -> list[str]:
        undisturbed = self.scratch / "undisturbed"
        self.lost += finished(self._search(self.folder)) + finished(self._search(undisturbed))
        for name in ("trials.jsonl", "fresh_seeds.jsonl"):
            ours, whole = (_rows(folder / name) for folder in (self.folder, undisturbed))
            self.lost += [f"{name} has {ours}, undisturbed {whole}"] if ours != whole else []
        return self.lost


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def scenarios(scratch: Path):
    yield Search(scratch)
