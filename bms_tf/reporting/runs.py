"""What a report knows of a run, read from its folder, without TensorFlow."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from bms_tf.core import errors, files, gin_text
from bms_tf.core.run_folder import RunFolder
from bms_tf.studies.table import protocol

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run, read from its files. `settings` has the gin text of each parameter that was used."""

    name: str
    path: str
    settings: Mapping[str, str]
    log: Sequence[Row]
    scores: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # {} while it trains
    evaluations: Sequence[Row] = ()
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # hashes
    protocol: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def setting(self, name: str) -> str:
        """A parameter's value, without the @ and () of a reference. "" where it was not set."""
        return self.settings.get(name, "").lstrip("@").removesuffix("()")

    @property
    def real_data(self) -> str:
        """The name of the real data beside the samples: that of their pipeline."""
        return f"real data ({self.setting('train.data')})"

    @property
    def last(self) -> Row:
        return self.log[-1]

    def updates(self, step: int) -> int:
        """The generator updates in so many steps."""
        return step * self.last["generator_updates"] // self.last["step"]

    @property
    def is_finished(self) -> bool:
        return self.scores.get("step") == self.last["step"]


def folders(path: str) -> list[str]:
    """The run folder `path`, or those in it, as `--seeds` makes them. Raises ValueError where there is none.

    Of several, a run that has no metrics so far is left out with a line on the screen.
    """
    if not os.path.isdir(path):
        raise ValueError(f"{path} is no folder of a run or study; there is no such folder")
    found = [path, *sorted(entry.path for entry in os.scandir(path) if entry.is_dir())]
    found = [folder for folder in found if os.path.isfile(os.path.join(folder, "config.gin"))]
    if not found:
        raise ValueError(f"{path} holds no run and no study (neither config.gin nor study.gin)")
    if found[0] == path:
        return found[:1]
    begun = [folder for folder in found if os.path.exists(RunFolder(folder).metrics)]
    for folder in set(found) - set(begun) if begun else ():
        print(f"{folder} has no metrics so far, and is left out")
    return begun or found  # where none has begun, the first is an error


def names(paths: Sequence[str]) -> list[str]:
    """The ends of the paths by which they differ, as in `ring/seed_0`."""
    parts = [os.path.abspath(path).split(os.sep) for path in paths]
    if len(parts) < 2:
        return [own[-1] for own in parts]
    shared = len(os.path.commonpath([os.path.abspath(path) for path in paths]).rstrip(os.sep).split(os.sep))
    return ["/".join(own[shared:]) or own[-1] for own in parts]


def read(path: str, name: str) -> Run:
    """The run in the folder `path`. Each damaged line is left out and said on the screen.

    Raises ValueError where a file is damaged, or nothing was logged so far.
    """
    folder = RunFolder(path)
    source = next(filter(os.path.isfile, map(folder.file, ("operative.gin", "config.gin"))))
    text = files.read_text(source)
    try:
        settings = {parameter: repr(value) for parameter, value in gin_text.values(text).items()}
        scored_by = protocol(text)
    except errors.ConfigError as error:
        raise ValueError(f"{source} is damaged ({str(error).removeprefix('config:')})") from error
    if not settings:
        raise ValueError(f"{source} is damaged (it sets nothing)")
    log = folder.rows()
    if not log:
        raise ValueError(f"{path} is a run without metrics: {folder.metrics} has no line so far")
    data, scores = (_json(folder.file(file)) for file in ("data.json", "scores.json"))
    expected = {"step": int, "samples": dict, "data": dict}
    if scores and not all(isinstance(scores.get(name), kind) for name, kind in expected.items()):
        raise ValueError(f"{folder.file('scores.json')} is damaged (it lacks one of {', '.join(expected)})")
    compared = {"train.data": settings.get("train.data", ""), "test split": data.get("test_split_sha256", "")[:12]}
    return Run(
        name=name,
        path=path,
        settings=settings,
        log=log,
        scores=scores,
        evaluations=files.read_rows(
            folder.file("evaluation.jsonl"), _evaluation, lambda where: print(f"{where} is damaged and is left out")
        ),
        data=data,
        protocol=compared | scored_by,
    )


def _json(path: str) -> dict:
    return files.read_json(path) if os.path.exists(path) else {}


def _evaluation(row: Row) -> Row:
    if row["protocol"]["settings"] is None or not row["metric"] or not row["name"]:
        raise ValueError
    return row
