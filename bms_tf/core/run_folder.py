"""The folder of a run: its files, and the run to which it belongs."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from bms_tf.core import files, gin_text

# What may differ when a run is resumed: its length, its devices, and its trackers.
MAY_CHANGE = (
    "train.generator_updates",
    "train.devices",
    "mirrored.devices",
    "train.accumulate",
    "train.keep_checkpoints",
    "train.features",
    "train.trackers",
    "mlflow.experiment",
    "wandb.project",
)
# Files that tell a folder of something else.
OTHERS = {"search.gin": "a search", "study.gin": "a study", "*/saved_model.pb": "exported models"}
Hashes = Mapping[str, str]


class RunFolder:
    """The files of one run, by their names."""

    def __init__(self, path: str):
        self.path = path

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    checkpoints = property(lambda self: self.file("checkpoints"))
    events = property(lambda self: self.file("tensorboard"))
    metrics = property(lambda self: self.file("metrics.jsonl"))
    pictures = property(lambda self: self.file("pictures"))

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Makes the folder, and holds it for this process.

        Raises ValueError where another process trains in it, and where it holds something else than a run.
        """
        for file, what in OTHERS.items():
            if next(Path(self.path).glob(file), None):
                raise ValueError(f"{self.path} holds {what}, no run; take another --run_dir")
        os.makedirs(self.path, exist_ok=True)
        return files.locked(self.file("lock"), f"training in {self.path}")

    def settings(self) -> str | None:
        """The text of config.gin; None if there is none. Raises ValueError where it is empty or no text."""
        path = self.file("config.gin")
        if not os.path.isfile(path):
            return None
        text = files.read_text(path)
        if not text.strip("\0 \n"):
            raise ValueError(f"{path} is damaged (it is empty)")
        return text

    def check_settings(self, text: str):
        """Raises ValueError where the run here was begun with other settings than the gin text `text`."""
        try:
            earlier = self.settings()
            changes = "" if earlier is None else gin_text.difference(earlier, text, ignore=MAY_CHANGE)
        except ValueError as error:
            what = str(error).replace("config:", "line ", 1).removeprefix(f"{self.file('config.gin')} is ")
            raise ValueError(
                f"{self.file('config.gin')} cannot be compared with these settings ({what}); put it back, or delete "
                "it to go on with these"
            ) from error
        if changes:
            raise ValueError(f"{self.path} holds a run with other settings ({changes}); take another --run_dir")

    def check_data(self, hashes: Hashes):
        """Raises ValueError where the run here was begun with data of other `hashes`."""
        path = self.file("data.json")
        if not os.path.exists(path):
            return
        try:
            earlier = files.read_json(path)
        except ValueError as error:
            raise ValueError(f"{error}; delete it to go on without a comparison of the data") from error
        differ = [name for name in hashes if hashes[name] != earlier.get(name)]
        changed = [name.removesuffix("_sha256").replace("_", " ") for name in differ]
        if changed:
            raise ValueError(
                f"{self.path} holds a run on other data (another {' and another '.join(changed)} than at its start); "
                "--other_data goes on with these"
            )

    def write_data(self, hashes: Hashes, step: int):
        """Writes data.json. Where the steps before `step` had other data, both are kept."""
        path, written = self.file("data.json"), hashes
        with contextlib.suppress(OSError, ValueError):
            earlier = files.read_json(path)
            before = earlier.pop("earlier", [])
            if step and earlier != hashes:
                before = [*before, {"until_step": step, **earlier}]
            written = {**hashes, **({"earlier": before} if before else {})}
        files.write_whole(path, json.dumps(written, indent=1) + "\n")

    def write_scores(self, step: int, scores: Mapping[str, Mapping[str, float]]):
        kept = {column: files.with_nulls(values) for column, values in scores.items()}
        files.write_whole(self.file("scores.json"), json.dumps({"step": step, **kept}, indent=1) + "\n")

    def forget_scores(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.file("scores.json"))

    def scores_of(self, step: int) -> dict[str, dict[str, float | None]] | None:
        """The columns of scores.json, if they are of the state at `step`. A value that was not finite is None.

        Returns None where there are no scores, or those of an earlier end of a run that was prolonged.
        """
        with contextlib.suppress(OSError, ValueError):
            scores = files.read_json(self.file("scores.json"))
            if scores.pop("step", None) == step:
                return scores
        return None

    def rows(self, report: Callable[[str], None] = print) -> list[dict]:
        """The lines of the metrics, none if there is no file.

        A damaged line is left out, and named through `report`. A last line that a crash cut off is left out in silence.
        """
        return files.read_rows(self.metrics, _row, lambda where: report(f"{where} is damaged and is left out"))

    def generator_updates(self, step: int) -> int | None:
        """The generator updates in `step` steps; None where no line of the metrics says how many a step has."""
        return next((step * row["generator_updates"] // row["step"] for row in self.rows()), None)


def _row(row: dict) -> dict:
    if row["step"] < 1 or row["generator_updates"] < 0:
        raise ValueError
    return row
