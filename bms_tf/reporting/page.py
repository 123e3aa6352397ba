"""The page: one HTML file that holds its style, script and pictures. It asks no other machine for anything."""

import base64
import datetime
import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from bms_tf.reporting import curves, pictures, runs, tables
from bms_tf.reporting.pictures import Film

MEGABYTE = 1_000_000
PICTURES = 3 * MEGABYTE  # of base64 in the page; the rest stays well below 2 MB
MOST = 5 * MEGABYTE  # of the whole page
KINDS = {  # a picture is of the first kind whose words are in its name
    "Reconstructions": ("reconstruct", "ivom", "closest"),
    "Nearest training images": ("nearest",),
    "Code space": ("code", "posterior", "kl_per_datum", "embedding"),
    "Samples over time": ("",),
}


class Section(NamedTuple):
    """A part of the page. `kind` names the macro of the template that shows the `content`."""

    title: str
    kind: str
    content: Any

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")


class Report:
    """The runs and studies of a report, from which its page and tables are made."""

    def __init__(self, paths: Sequence[str]):
        """Reads `paths`: folders of runs, of several seeds of one, and of studies. One that is named twice counts once.

        Raises ValueError or OSError where a folder is neither, has nothing to show, or is damaged.
        """
        paths = list({os.path.realpath(path): os.path.normpath(path) for path in reversed(paths)}.values())[::-1]
        self.studies = [path for path in paths if os.path.isfile(os.path.join(path, "study.gin"))]
        found = dict.fromkeys(folder for path in paths if path not in self.studies for folder in runs.folders(path))
        self.runs = [runs.read(path, name) for path, name in zip(found, runs.names(list(found)))]
        self.of_studies = [table for path in self.studies for table in tables.of_study(path)]

    @property
    def title(self) -> str:
        names = [run.name for run in self.runs] + [os.path.basename(os.path.abspath(path)) for path in self.studies]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

    def tables(self) -> dict[str, str]:
        """All tables in Markdown and LaTeX, and a CSV of each, by the ending of the file's name."""
        return tables.written([t for section in self.sections() if section.kind == "tables" for t in section.content])

    @functools.cache  # noqa: B019, a process makes one report
    def sections(self) -> list[Section]:
        """The page's parts in their order, without those that have nothing to show."""
        runs, (films, figures) = self.runs, self.films()
        parts = [
            Section("Studies", "tables", self.of_studies),
            Section("Figures", "figures", figures),
            Section("What was run", "tables", runs and [tables.overview(runs), tables.settings(runs, differ=True)]),
            Section("Scores", "tables", runs and [tables.scores(runs), tables.evaluated(runs)]),
            *(Section(title, "films", films[title]) for title in sorted(films, reverse=True)),
            Section("Curves", "charts", curves.charts(runs)),
            Section("Settings", "tables", runs and [tables.settings(runs, differ=False)]),
            Section("Versions and hashes", "tables", runs and [tables.versions(runs)]),
        ]
        parts = [
            p._replace(content=[t for t in p.content if len(t.rows) > 1]) if p.kind == "tables" else p for p in parts
        ]
        return [part for part in parts if part.content]

    def films(self) -> tuple[dict[str, dict[str, list[Film]]], dict[str, list[Film]]]:
        """The pictures of all runs by section and name, and those of all studies by name."""
        found = {run.name: pictures.over_time(run) | pictures.stills(run.path, "evaluation.") for run in self.runs}
        named = zip(runs.names(self.studies), self.studies)
        figures = {name: os.path.join(path, "figures") for name, path in named}
        figures = {name: pictures.stills(folder) for name, folder in figures.items() if os.path.isdir(folder)}
        share = PICTURES // max(1, sum(map(len, (*found.values(), *figures.values()))))
        sections: dict[str, dict[str, list[Film]]] = {}
        for name, films in pictures.films(found, share).items():
            title = next(title for title, words in KINDS.items() if any(word in name.lower() for word in words))
            if title == "Samples over time" and all(film.frames[-1][0] == 0 for film in films):
                title = "Pictures"
            sections.setdefault(title, {})[name.replace("_", " ")] = films
        return sections, pictures.films(figures, share)

    def page(self) -> str:
        """The page as text. A line on the screen says where it has become larger than it should."""
        environment = Environment(
            loader=PackageLoader("bms_tf.reporting"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        text = environment.get_template("page.html").render(
            title=self.title,
            today=datetime.date.today().isoformat(),
            names=[run.name for run in self.runs],
            real_data=list(dict.fromkeys(run.real_data for run in self.runs)),
            sections=self.sections(),
            geometry=curves,
            downloads={end: base64.b64encode(text.encode()).decode() for end, text in self.tables().items()},
        )
        if len(text.encode()) > MOST:
            print(f"the page has more than {MOST / MEGABYTE:.0f} MB; name fewer runs for a smaller one")
        return text
