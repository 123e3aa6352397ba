"""SIGKILL at any moment of an evaluation: its lines are whole, and the next call gives what it would have given."""

import json
from pathlib import Path

from tests.faults._harness import Command, finished, reference
from tests.faults._killed import Killed


class Evaluation(Killed):
    """Evaluations of one run that are killed, on one cache of features."""

    name = "evaluating"

    def start(self, folder: Path) -> Command:
        flags = [f"--model={reference(self.scratch)}", "--data=gin/data/ring.gin", "--metrics=precision_recall,frechet"]
        places = [f"--cache_dir={folder / 'cache'}", f"--out={folder / 'evaluation.jsonl'}"]
        return Command("bms_tf.evaluate", [*flags, "--n=2000", "--n_real=2000", *places], folder / "evaluation.log")

    def left(self) -> str:
        return f"{len(_values(self.folder))} lines so far"

    def losses(self) -> list[str]:
        self.lost += finished(self.start(self.folder))
        whole, found = _values(self.undisturbed), _values(self.folder)
        if any(line not in whole for line in found):
            self.lost.append("a line that an undisturbed evaluation does not write")
        if found[-len(whole) :] != whole:
            self.lost.append(f"the last call wrote {found[-len(whole) :]}, undisturbed {whole}")
        return self.lost


def _values(folder: Path) -> list[dict]:
    """The lines, but for when they were written and what time they took."""
    path = folder / "evaluation.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{key: line[key] for key in line if key not in ("seconds", "time")} for line in lines]


def scenarios(scratch: Path):
    yield Evaluation(scratch)
