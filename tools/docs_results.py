"""A MkDocs hook: the page of results, made of what studies recorded. No number of it is written by hand."""

import json
from collections.abc import Iterator
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
RECORDS = "benchmarks/results/studies"  # NAME.jsonl: the runs.jsonl of gin/studies/NAME.gin
HEAD = """---
hide:
  - toc
---

# Results

Every table on this page is one study. Its gin file was written before its runs: the methods, what each may tune, the
seeds and the rule that picks. The command above a table makes it again, and `--dry_run` says how long that takes. The
benchmarks, with their commands and records, are described in `benchmarks/README.md`.
"""


def page() -> str:
    """The Markdown of the page."""
    return "\n".join([HEAD, *(line for path in sorted((ROOT / RECORDS).glob("*.jsonl")) for line in section(path))])


def section(records: Path) -> Iterator[str]:
    """The lines about one study."""
    from bms_tf.core import startup

    startup.import_tensorflow()  # quietly; a gin file may import what needs it
    from bms_tf.studies import formats, plan, table
    from bms_tf.studies.study import job_of, load

    study = load(f"gin/studies/{records.stem}.gin")
    rows = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    notes = formats.notes(study, rows, plan.left(study, {job_of(row): row for row in rows}))
    yield from (f"## {study.title}", "", "```bash", f"python -m bms_tf.reproduce --study={records.stem}", "```", "")
    lines = table.rows(study, rows)
    for data in study.data:
        if own := [line for line in lines if line.data == data]:
            yield from ('<div class="results" markdown>', "")
            yield from (formats.as_markdown(data.capitalize(), formats.grid(study, own)), "", "</div>", "")
    yield from ("\n".join(f"- {note}" for note in notes), "")


def on_files(files, config):
    """Adds the page."""
    files.append(File.generated(config, "results.md", content=page()))
    return files
