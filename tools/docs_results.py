"""A MkDocs hook: the page of results, made of what studies recorded. No number of it is written by hand."""

import json
import textwrap
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

A study is one gin file, written before its runs: the methods, what each may tune, the seeds and the rule that picks.
The command above a table makes it again, and `--dry_run` says how long that takes. A method that is "tuned for HQ"
has the setting that had the best HQ among its trials. The trials have a seed of their own, which is in no table.
`benchmarks/README.md` describes the benchmarks, with their commands and records.
"""
FOLDED = ("std_ratio_min", "std_ratio_max", "minor_axis_ratio_median")  # scores that only the whole table shows


def page() -> str:
    """The Markdown of the page."""
    from bms_tf.core import gin_text

    studies = {Path(name).stem: line for name, line in gin_text.shipped()["gin/studies"].items()}
    recorded = sorted((ROOT / RECORDS).glob("*.jsonl"), key=runs, reverse=True)
    missing = {name: line for name, line in studies.items() if name not in {path.stem for path in recorded}}
    return "\n".join(
        [
            HEAD,
            f"{len(recorded)} of {len(studies)} studies have runs so far, the largest first; "
            "[the others](#studies-without-runs) are listed below.\n",
            *(line for path in recorded for line in section(path)),
            "## Studies without runs\n",
            *(f"- `{name}`: {line}" for name, line in missing.items()),
            "",
        ]
    )


def runs(records: Path) -> int:
    """How many runs a study recorded."""
    return len(records.read_text(encoding="utf-8").splitlines())


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
            short = formats.as_markdown(data[:1].upper() + data[1:], list(brief(study, own)))
            yield from (f'<div class="brief" markdown>\n\n{short}\n\n</div>', "")
            whole = formats.as_markdown("Everything", formats.grid(study, own)).split("\n\n", 1)[1]
            yield from ('??? note "All scores, settings, seeds, trials and published values"', "")
            yield from (textwrap.indent(f'<div class="results" markdown>\n\n{whole}\n\n</div>', "    "), "")
    yield from ("\n".join(f"- {note}" for note in notes), "")


def brief(study, lines) -> Iterator[list[str]]:
    """The finished lines of one data set with the scores that one looks at first, below a line of titles."""
    from bms_tf.studies import formats, table

    shown = [score for score in study.columns_of(lines[0].data) if score not in FOLDED]
    yield ["method", *map(formats.title, shown), "seeds"]
    for line in lines:
        if line.best_in == table.UNFINISHED:
            continue  # a note below says what was not run
        name = line.method
        if line.best_in:
            scores = formats.title(line.best_in).replace(", ", " and ")
            name += f", tuned for {scores}" if line.setting else f": {line.best_in}"
        cells = [formats.cell(score, line.cells[score]) if score in line.cells else "" for score in shown]
        yield [name, *cells, str(len(line.seeds) or "")]


def on_files(files, config):
    """Adds the page."""
    files.append(File.generated(config, "results.md", content=page()))
    return files
