"""Tables of the lines of evaluations, in Markdown. What was measured otherwise than its neighbors bears a letter."""

import json
import os
import string
from collections.abc import Mapping, Sequence
from typing import Any

from bms_tf.core import files

Row = Mapping[str, Any]

BEGIN, END = "<!-- bms_tf.evaluate: begin -->", "<!-- bms_tf.evaluate: end -->"
COMMON = ("settings", "floor")  # these differ from metric to metric by nature, and are compared within one


def markdown(rows: Sequence[Row]) -> str:
    """The table and its footnotes; see `grid`."""
    lines, notes = grid(rows)
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([text, "\n\n".join(note.replace("*", "\\*", 1) if note[0] == "*" else note for note in notes)])


def grid(rows: Sequence[Row]) -> tuple[list[list[str]], list[str]]:
    """A line for each quantity and a column for each model or set of samples, with the floor beside each; and notes.

    Footnotes give the protocols. Values that were measured otherwise than others bear the letter of their protocol, and
    floors of other data than others that of their data. A floor at other numbers of examples than its value's says so.
    """
    models = list(dict.fromkeys(row["of"] for row in rows))
    quantities = list(dict.fromkeys((row["metric"], row["name"]) for row in rows))
    cells = {(row["metric"], row["name"], row["of"]): row for row in rows}  # the last one of each
    letters: dict[str, str] = {}
    for row in cells.values():
        letters.setdefault(_protocol(row), _letter(len(letters)))
    floors: dict[str, str] = {}
    for row in cells.values():
        if row["protocol"]["floor"] is not None:
            floors.setdefault(_data_of_floor(row), _letter(len(letters) + len(floors)))
    lines = [["quantity", *(title for model in models for title in (os.path.normpath(model), "floor"))]]
    notes: dict[str, list[str]] = {}
    not_finite = []
    for metric, name in quantities:
        own = [row for row in cells.values() if (row["metric"], row["name"]) == (metric, name)]
        line = [name + "".join(f" ({way} is better)" for way in {row.get("better") for row in own} - {None})]
        settings = _differing([row["protocol"]["settings"] for row in own])
        for model in models:
            row = cells.get((metric, name, model))
            mark = "" if row is None or len(letters) == 1 else f" {letters[_protocol(row)]}"
            floor = "" if row is None else _floor(row)
            floor += f" {floors[_data_of_floor(row)]}" if row and floor and len(floors) > 1 else ""
            line += ["", ""] if row is None else [number(row) + mark, floor]
        if any(row["value"] is None for row in own):
            not_finite.append(f"{name}: the docstring of {metric} says when it is not finite.")
        if len(settings) > 1:
            line[0] += " *"
            notes.setdefault(" and ".join(sorted(settings)), []).append(name)
        lines.append(line)
    of_letters = [f"{letter}: " if len(letters) > 1 else "" for letter in letters.values()]
    protocols = [f"{letter}{protocol}." for letter, protocol in zip(of_letters, letters)]
    protocols += [f"{letter}: {data}." for data, letter in floors.items() if len(floors) > 1]
    starred = [f"* {', '.join(names)}: measured with different settings, {of}." for of, names in notes.items()]
    return lines, [*protocols, *starred, *not_finite]


def write_card(path: str, rows: Sequence[Row], command: str) -> None:
    """Puts the table, and the command that made it, into a model's card: in place of an earlier one, or at its end.

    Raises ValueError if there is no card, or an earlier table has no end.
    """
    if not os.path.isfile(path):
        raise ValueError(f"{path} does not exist: there is no card to write into")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    section = f"{BEGIN}\n## Evaluation\n\n    {command}\n\n{markdown(rows)}\n{END}\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and not end:
        raise ValueError(f"{path} has {BEGIN} without {END} behind it; put it back, or delete the former")
    new = before + section + after.removeprefix("\n") if begin else text.rstrip("\n") + "\n\n" + section
    files.write_whole(path, new)


def _differing(settings: Sequence[Mapping[str, Any]]) -> set[str]:
    """Of settings, as JSON, the parts in which they differ; a single one if they do not."""
    names = dict.fromkeys(name for one in settings for name in one)
    differ = [n for n in names if len({json.dumps(one.get(n, "none"), sort_keys=True) for one in settings}) > 1]
    return {json.dumps({name: one[name] for name in differ if name in one}) for one in settings}


def _letter(place: int) -> str:
    return f"({string.ascii_lowercase[place % 26] * (place // 26 + 1)})"


def _protocol(row: Row) -> str:
    """What must be equal of two values for them to stand side by side, in words."""
    known = {key: value for key, value in row["protocol"].items() if key not in COMMON and value is not None}
    counts = [
        f"{known.pop(key):,} {what}" for key, what in (("n_generated", "samples"), ("n_real", "real")) if key in known
    ]
    words = [
        f"{key.replace('_', ' ')} {value[:12] if key.endswith('sha256') else value}" for key, value in known.items()
    ]
    return ", ".join([" and ".join(counts), *words])


def _data_of_floor(row: Row) -> str:
    """What its floor was measured on, in words."""
    at = row["protocol"]["floor"]
    return f"floor of {at.get('data')}, sha256 {(at.get('data_sha256') or '?')[:12]}"


def number(row: Row) -> str:
    """The value and its spread."""
    if row["value"] is None:
        return "not finite"
    return f"{row['value']:.4g}" + (f" ± {row['spread']:.2g}" if row["spread"] is not None else "")


def _floor(row: Row) -> str:
    """The floor, with its numbers of examples where they are others."""
    at = row["protocol"]["floor"]
    if row["floor"] is None or at is None:
        return ""
    text = f"{row['floor']:.4g}" + (f" ± {row['floor_spread']:.2g}" if row["floor_spread"] is not None else "")
    same = all(at[key] == row["protocol"][key] for key in ("n_generated", "n_real"))
    return text if same else f"{text} (of {at['n_generated']:,} and {at['n_real']:,})"
