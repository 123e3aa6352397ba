"""A table as text for the screen, Markdown, CSV and LaTeX."""

import csv
import io
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from bms_tf.studies.rules import Row
from bms_tf.studies.study import Study
from bms_tf.studies.table import BETTER, EQUAL, WORSE, Cell, Line
from bms_tf.tuning.space import shown


def count(number: float, mean: float) -> str:
    """Whole numbers as they are, their averages and spreads with a digit."""
    return f"{number:.1f}".removesuffix(".0")


def distance(number: float, mean: float) -> str:
    """A distance that may be far above 1, where it needs fewer digits."""
    return f"{number:z.4f}" if abs(mean) < 1 else f"{number:.1f}"


SCORES: dict[str, tuple[str, Callable[[float, float], str]]] = {  # title; how a mean or a spread beside it is written
    "modes": ("modes", count),
    "modes_5": ("modes with 5 samples", count),
    "classes": ("classes", count),
    "hq_percent": ("HQ %", "{:.1f}".format),
    "mode_kl": ("mode KL", "{:.3f}".format),
    "class_kl": ("class KL", "{:.3f}".format),
    "std_ratio_min": ("std ratio, least", "{:.2f}".format),
    "std_ratio_median": ("std ratio", "{:.2f}".format),
    "std_ratio_max": ("std ratio, largest", "{:.2f}".format),
    "minor_axis_ratio_median": ("of the minor axis", "{:.2f}".format),
    "plain_modes": ("modes, plain norm", count),
    "plain_hq_percent": ("HQ %, plain norm", "{:.1f}".format),
    "energy_distance": ("energy distance", distance),
    "frechet_classifier_distance": ("Frechet distance", "{:.1f}".format),
}
SIGNS = {BETTER: "▲", EQUAL: "≈", WORSE: "▼", None: ""}
SYMBOLS = {"±": r"$\pm$", "▲": r"$\blacktriangle$", "≈": r"$\approx$", "▼": r"$\blacktriangledown$"}
SPREAD = "Mean ± standard deviation over the seeds"
MARKS = "▲ better than published, ≈ equal within the spread, ▼ worse"


def title(score: str) -> str:
    """How a table names a score."""
    return SCORES.get(score, (score,))[0]


def cell(score: str, cell: Cell) -> str:
    """Our value with its mark."""
    _, written = SCORES.get(score, (score, "{:.3g}".format))
    deviation = "" if cell.deviation is None or math.isnan(cell.mean) else f" ± {written(cell.deviation, cell.mean)}"
    return f"{written(cell.mean, cell.mean)}{deviation} {SIGNS[cell.mark]}".strip()


def published(values: Sequence[float]) -> str:
    """The published value as it was printed, as far as a number keeps its digits."""
    return " ± ".join(f"{value:g}" for value in values)


def grid(study: Study, lines: Sequence[Line]) -> list[list[str]]:
    """The lines of one data set as texts, below a line of titles."""
    columns = study.columns_of(lines[0].data)
    beside = [score for score in columns if any(score in line.published for line in lines)]
    head = ["method", "tuned for"]
    for score in columns:
        head += [f"published {title(score)}"] * (score in beside) + [title(score)]
    table = [[*head, "setting", "seeds", "trials that could not be chosen", "unstable"]]
    for line in lines:
        unfit = ", ".join(f"{count} {why}" for why, count in line.unfit.items())
        row = [line.method, title(line.best_in)]
        for score in columns:
            row += [published(line.published.get(score, ()))] * (score in beside)
            row += [cell(score, line.cells[score]) if score in line.cells else ""]
        row += [
            shown(line.setting),
            " ".join(map(str, line.seeds)) + (f" ({line.failed} failed)" if line.failed else ""),
            f"{unfit or 0} of {line.trials}" if line.trials else "",
            f"{line.unstable} of {len(line.seeds)}" if line.unstable else "",
        ]
        table.append(row)
    # A column without a word is left out.
    kept = [i for i in range(len(table[0])) if any(row[i] for row in table[1:])]
    return [[row[i] for i in kept] for row in table]


def as_text(title: str, table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table)]
    rows = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in table]
    return "\n".join([title, *rows])


def as_markdown(title: str, table: Sequence[Sequence[str]]) -> str:
    head, *rows = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in table]
    return "\n".join([f"{title}:\n", head, "|" + " --- |" * len(table[0]), *rows])


def as_csv(title: str, table: Sequence[Sequence[str]]) -> str:
    """The title is left to the file's name."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(table)
    return buffer.getvalue().rstrip("\n")


def as_latex(title: str, table: Sequence[Sequence[str]]) -> str:
    """A tabular for the package booktabs."""
    head, *rows = [" & ".join(map(_latex, row)) + r" \\" for row in table]
    body = [rf"\begin{{tabular}}{{{'l' * len(table[0])}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([f"% {title}", *body, r"\end{tabular}"])


def _latex(text: str) -> str:
    text = re.sub(r"([#$%&_{}])", r"\\\1", text)
    for plain, command in SYMBOLS.items():
        text = text.replace(plain, command)
    return text


FORMATS: dict[str, Callable[[str, Sequence[Sequence[str]]], str]] = {
    "txt": as_text,
    "md": as_markdown,
    "csv": as_csv,
    "tex": as_latex,
}


def counted(number: int, what: str) -> str:
    """1 run, 2 runs."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def notes(study: Study, records: Collection[Row], left: Mapping[tuple[str, str], int]) -> list[str]:
    """The notes below the tables. `left`: how many runs are not there yet, by data set and method."""
    words = [f"{study.title}. Ours: {study.protocol}", SPREAD]
    if any(method.published for method in study.methods):
        words += [study.published_protocol, MARKS]
    made = [row for row in records if "machine" in row]
    if made:
        days = sorted({row["ended"] for row in made})
        machines = {
            ", ".join(
                [
                    *m["gpus"],
                    m["processor"],
                    f"{counted(m['threads'], 'thread')} a run",
                    f"TensorFlow {m['tensorflow']}",
                ]
            )
            for m in (row["machine"] for row in made)
        }
        when = " to ".join(dict.fromkeys([days[0], days[-1]]))
        words.append(f"{counted(len(records), 'run')}, {when}: {'; '.join(sorted(machines))}")
    missing: dict[str, list[str]] = {}
    for (data, method), count in left.items():
        if count:
            missing.setdefault(data, []).append(f"{count} of {method}")
    # Semicolons, as the name of a method may have a comma.
    words += [f"Not run so far on {data}, at most: {'; '.join(of)}" for data, of in missing.items()]
    return [f"{word}." for word in words if word]


def written(study: Study, lines: Sequence[Line], notes: Sequence[str]) -> dict[str, str]:
    """The tables of all data sets with the notes below them, by the ending of the file's name."""
    tables = {data: [line for line in lines if line.data == data] for data in study.data}
    tables = {data: grid(study, own) for data, own in tables.items() if own}
    below = "\n".join(notes)
    texts = {name: "\n\n".join(FORMATS[name](*item) for item in tables.items()) for name in ("txt", "md", "tex")}
    return {
        "txt": f"{texts['txt']}\n\n{below}\n",
        "md": f"{texts['md']}\n\n{below}\n",
        "tex": texts["tex"] + "".join(f"\n% {_latex(note)}" for note in notes) + "\n",
        "csv": _one_csv(tables),
    }


def _one_csv(tables: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """All tables below one line with the titles of all."""
    titles = dict.fromkeys(["table", *(title for head, *_ in tables.values() for title in head)])
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, titles, restval="", lineterminator="\n")
    writer.writeheader()
    for name, (head, *rows) in tables.items():
        writer.writerows({"table": name, **dict(zip(head, row))} for row in rows)
    return buffer.getvalue()
