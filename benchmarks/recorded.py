"""What the benchmarks record: JSON lines in results/, from folders that a command line names."""

import json
import math
import pathlib
from collections.abc import Iterator, Sequence

from absl import app

RESULTS = pathlib.Path(__file__).parent / "results"


def read(name):
    """The rows of `results/<name>.jsonl`; none if there is no such file."""
    path = RESULTS / f"{name}.jsonl"
    return read_lines(path) if path.exists() else []


def those(rows, job):
    """The rows that hold all that `job` says."""
    return [row for row in rows if all(row.get(key) == value for key, value in job.items())]


def read_lines(path):
    """The rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def number(score):
    """A score of a row; JSON has no word for one that is not a number but null."""
    return math.nan if score is None else score


def write(name, rows):
    """Makes `results/<name>.jsonl` of `rows`."""
    (RESULTS / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def named(argv: Sequence[str], example: str) -> Iterator[tuple[str, pathlib.Path | None]]:
    """(name, folder) of each argument NAME=FOLDER, and (name, None) of a NAME alone, of what is recorded already."""
    if len(argv) < 2:
        raise app.UsageError(f"name folders, as in {example}")
    for argument in argv[1:]:
        name, _, folder = argument.partition("=")
        yield name, pathlib.Path(folder) if folder else None
