"""A table as text for the screen, Markdown, CSV and LaTeX."""

import csv
import io
import re
from collections.abc import Callable, Sequence

from bms_tf.studies.study import Study
from bms_tf.studies.table import BETTER, EQUAL, WORSE, Cell, Line
from bms_tf.tuning.space import shown

SCORES = {  # title and format
    "modes": ("modes", ".3g"),
    "hq_percent": ("HQ %", ".1f"),
    "mode_kl": ("mode KL", ".3f"),
    "std_ratio_min": ("std ratio, least", ".2f"),
    "std_ratio_median": ("std ratio", ".2f"),
    "std_ratio_max": ("std ratio, largest", ".2f"),
    "minor_axis_ratio_median": ("of the minor axis", ".2f"),
    "energy_distance": ("energy distance", ".4f"),
    "frechet_classifier_distance": ("Frechet distance", ".1f"),
}
SIGNS = {BETTER: "▲", EQUAL: "≈", WORSE: "▼", None: ""}
SYMBOLS = {"±": r"$\pm$", "▲": r"$\blacktriangle$", "≈": r"$\approx$", "▼": r"$\blacktriangledown$"}
LEGEND = "▲ better than published, ≈ equal within the spread, ▼ worse; mean ± standard deviation over the seeds"


def cell(cell: Cell, digits: str) -> str:
    """Ours with its mark."""
    deviation = "" if cell.deviation is None else f" ± {cell.deviation:{digits}}"
    return f"{cell.mean:{digits}}{deviation} {SIGNS[cell.mark]}".strip()


def published(values: Sequence[float]) -> str:
    """As it was printed, as far as a number keeps its digits."""
    return " ± ".join(f"{value:g}" for value in values)


def grid(study: Study, lines: Sequence[Line]) -> list[list[str]]:
    """The lines of one data set as texts, below a line of titles."""
    columns = study.columns_of(lines[0].data)
    beside = [score for score in columns if any(score in line.published for line in lines)]
    titles = {score: SCORES.get(score, (score, ".3g")) for score in columns}
    head = ["method", "best of its trials in", "setting", "seeds", "trials that could not be chosen", "unstable"]
    for score, (title, _) in titles.items():
        head += [f"published {title}"] * (score in beside) + [title]
    table = [head]
    for line in lines:
        length = f"{line.length} times the length" if line.length > 1 else ""
        unfit = ", ".join(f"{count} {why}" for why, count in line.unfit.items())
        row = [
            line.method,
            line.best_in,
            ", ".join(filter(None, [shown(line.setting), length])),
            " ".join(map(str, line.seeds)) + (f" ({line.failed} failed)" if line.failed else ""),
            f"{unfit or 0} of {line.trials}" if line.trials else "",
            f"{line.unstable} of {len(line.seeds)}" if line.unstable else "",
        ]
        for score, (_, digits) in titles.items():
            row += [published(line.published.get(score, ()))] * (score in beside)
            row += [cell(line.cells[score], digits) if score in line.cells else ""]
        table.append(row)
    # A column without a word is left out.
    kept = [i for i in range(len(head)) if any(row[i] for row in table[1:])]
    return [[row[i] for i in kept] for row in table]


def as_text(title: str, table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table)]
    rows = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in table]
    return "\n".join([title, *rows])


def as_markdown(title: str, table: Sequence[Sequence[str]]) -> str:
    head, *rows = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in table]
    return "\n".join([f"{title}:\n", head, "|" + " --- |" * len(table[0]), *rows])


def as_csv(title: str, table: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([["table", *table[0]], *([title, *row] for row in table[1:])])
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


def written(study: Study, lines: Sequence[Line]) -> dict[str, str]:
    """The whole table by the ending of its file's name."""
    texts = {}
    for ending, make in FORMATS.items():
        parts = []
        for data in study.data:
            own = [line for line in lines if line.data == data]
            if own:
                parts.append(make(data, grid(study, own)))
        words = [f"{study.title}. Ours: {study.protocol}", study.published_protocol, LEGEND]
        note = ". ".join(word for word in words if word) + "."
        notes = {"txt": note, "md": note, "csv": "", "tex": f"% {_latex(note)}"}
        texts[ending] = "\n\n".join(filter(None, [*parts, notes[ending]])) + "\n"
    return texts
