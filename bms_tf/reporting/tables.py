"""The tables of a report as texts, for the page, Markdown, CSV and LaTeX."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import bms_tf
from bms_tf.core import files
from bms_tf.evaluation import tables as evaluations
from bms_tf.reporting.runs import Row, Run
from bms_tf.studies import folder, formats, plan, table


class Table(NamedTuple):
    """A table, whose first row has the titles."""

    title: str
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def overview(runs: Sequence[Run]) -> Table:
    """What was run, and how far it has come."""
    rows = [["run", "system", "data", "seed", "batch", "generator updates", "state", "trained for"]]
    for run in runs:
        asked, done = int(run.settings.get("train.generator_updates", 0)), run.last["generator_updates"]
        seconds = folder.seconds([row.get("seconds", 0.0) for row in run.log])
        rows.append(
            [
                run.name,
                run.setting("train.system"),
                run.setting("train.data"),
                run.setting("train.seed") or "0",
                run.setting("train.batch_size"),
                f"{done:,}" + (f" of {asked:,}" if done < asked else ""),
                "finished" if run.is_finished else "not finished",
                f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min",
            ]
        )
    return Table("What was run", rows)


def settings(runs: Sequence[Run], *, differ: bool) -> Table:
    """The gin parameters in which the runs differ, or those that they share."""
    known = sorted(dict.fromkeys(name for run in runs for name in run.settings))
    values = {name: [run.settings.get(name, "not set") for run in runs] for name in known}
    if differ:
        rows = [[name, *texts] for name, texts in values.items() if len(set(texts)) > 1]
        return Table("How the runs differ", [["setting", *(run.name for run in runs)], *rows])
    rows = [[name, texts[0]] for name, texts in values.items() if len(set(texts)) == 1]
    return Table("Settings of all runs" if len(runs) > 1 else "Settings", [["setting", "value"], *rows])


def scores(runs: Iterable[Run]) -> Table:
    """The scores at the end. Those of real data in the samples' place are the floor.

    Runs that were scored by different protocols bear letters, and notes say in what these differ.
    """
    runs = [run for run in runs if run.scores]
    protocols = [dict(run.protocol) for run in runs]
    distinct = [p for i, p in enumerate(protocols) if p not in protocols[:i]]
    differing = sorted({key for p in distinct for key in p if any(p.get(key) != q.get(key) for q in distinct)})
    letters = [f"({chr(ord('a') + i % 26) * (i // 26 + 1)})" for i in range(len(distinct))]
    rows = [["score"], ["step"]]
    for run, scored_by in zip(runs, protocols):
        letter = f" {letters[distinct.index(scored_by)]}" if len(distinct) > 1 else ""
        rows[0] += [run.name + letter, run.real_data]
        rows[1] += [f"{run.scores['step']:,}", ""]
    for name in dict.fromkeys(name for run in runs for name in run.scores["samples"]):
        row = [name]
        for run in runs:
            row += [_number(run.scores[column], name) for column in ("samples", "data")]
        rows.append(row)
    notes = []
    if len(distinct) > 1:
        words = [", ".join(f"{key} {known.get(key) or 'not set'}" for key in differing) for known in distinct]
        notes = ["Different protocols: columns with different letters cannot be compared."]
        notes += [f"{letter}: {said}." for letter, said in zip(letters, words)]
    return Table("Scores", rows if len(rows) > 2 and runs else rows[:1], notes)


def _number(scores: dict, name: str) -> str:
    if name not in scores:
        return ""
    return "not finite" if scores[name] is None else f"{scores[name]:.4g}"


def evaluated(runs: Sequence[Run]) -> Table:
    """What `bms_tf.evaluate` measured, each value with its floor; see `evaluation.tables`."""
    rows = [row | {"of": run.name, "protocol": _of_recipe(row["protocol"])} for run in runs for row in run.evaluations]
    return Table("Evaluations", *evaluations.grid(rows)) if rows else Table("Evaluations", [["quantity"]])


def _of_recipe(protocol: Row) -> Row:
    """`protocol`, with one name for the own data of any run. The hash of the data says which they are."""
    own = os.path.basename(protocol.get("data") or "") == "config.gin"
    return protocol | {"data": "of the run"} if own else protocol


def versions(runs: Sequence[Run]) -> Table:
    """The hashes of each run's settings and data, and the versions that its evaluations name."""
    rows = [["of", "what", "value"]]
    for run in runs:
        text = files.read_text(os.path.join(run.path, "config.gin"))
        rows.append([run.name, "config.gin sha256", hashlib.sha256(text.encode()).hexdigest()])
        for name, value in run.data.items():
            rows.append([run.name, name.replace("_", " "), value if isinstance(value, str) else json.dumps(value)])
        for row in {row["sha256"]: row for row in run.evaluations if row.get("sha256")}.values():
            known = ", ".join(f"{name} {version}" for name, version in (row.get("versions") or {}).items())
            rows.append([run.name, "evaluated weights sha256", row["sha256"]])
            rows.append([run.name, "evaluated with", f"{known}, {row.get('time', '')}".strip(", ")])
    rows.append(["this report", "bms_tf", bms_tf.__version__])
    return Table("Versions and hashes", rows)


def of_study(path: str) -> list[Table]:
    """A study's tables, ours beside the published, with notes below, and the machines of its runs.

    Raises ValueError where none of its runs has ended, or its file of them is damaged.
    """
    kept = folder.Folder(path)
    done = kept.done()
    if not done:
        raise ValueError(f"{path} is a study without finished runs: {kept.file('runs.jsonl')} has no line so far")
    study, lines = kept.study, table.rows(kept.study, done.values())
    found = []
    for data in study.data:
        own = [line for line in lines if line.data == data]
        if own:
            found.append(Table(f"{study.title}: {data}", formats.grid(study, own)))
    machines: dict[str, list[str]] = {}
    for row in done.values():
        known = row.get("machine", {}).items()
        words = ", ".join(f"{name} {value}" for name, value in known if value not in ([], None))
        machines.setdefault(words or "not recorded", []).append(row.get("ended", ""))
    rows = [
        [words, str(len(ended)), " to ".join(sorted({min(ended), max(ended)}))] for words, ended in machines.items()
    ]
    found.append(Table(f"{study.title}: what it was run on", [["machine", "runs", "ended"], *rows]))
    below = max(0, len(found) - 2)  # the index of the last table of scores, if there is any
    found[below] = found[below]._replace(notes=formats.notes(study, (), plan.left(study, done)))
    return found


def written(tables: Sequence[Table]) -> dict[str, str]:
    """The texts of all tables by the ending of the file's name: one in Markdown, one in LaTeX, and a CSV of each."""
    texts = {}
    for ending in ("md", "tex"):
        parts = []
        for title, rows, notes in tables:
            said = notes if ending == "md" else [f"% {note}" for note in notes]  # LaTeX has a place for comments
            parts += [formats.FORMATS[ending](title, rows), *said]
        texts[ending] = "\n\n".join(parts) + "\n"
    for title, rows, _ in tables:  # a reader of CSV takes one table, without words
        name = re.sub(r"\W+", "_", title.lower()).strip("_")
        while f"{name}.csv" in texts:
            name += "_"
        texts[f"{name}.csv"] = formats.as_csv(title, [list(map(_bare, row)) for row in rows]) + "\n"
    return texts


def _bare(text: str) -> str:
    """A number without commas between its thousands, with which a reader of CSV would take it for text."""
    return text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+( of \d{1,3}(,\d{3})*)?", text) else text
