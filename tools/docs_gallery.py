"""A MkDocs hook: the gallery of systems, made of their docstrings and gin files. Nothing of it is written by hand.

The sources are read, not run, so that the documentation builds without TensorFlow.
"""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
STEPS = "benchmarks/results/systems_steps.txt"
PICTURES = "docs/figures/systems"  # NAME_ring.png and NAME_grid.png, for the name of a gin file
SHORT_RUNS = (
    "One short run each, by `python benchmarks/systems.py pictures`. Rate and length are the same for all systems and "
    "tuned for none: you see samples on the way, not what a system can do. For that, see the [results](../results.md)."
)
# Formulas in docstrings are plain text; here they get their letters. Names in backquotes stay as they are.
LETTERS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "lambda": "λ",
    "sigma": "σ",
    "Phi": "Φ",
    "grad": "∇",
}


class System(NamedTuple):
    """One class of `bms_tf/systems/`."""

    name: str
    module: str
    papers: str  # the module's docstring
    summary: str  # the class docstring up to its table
    table: list[list[str]]  # its rows, the heading first
    remarks: str  # what follows the table
    files: dict[str, str]  # gin files that choose it, with their first lines

    @property
    def page(self) -> str:
        return f"systems/{self.module}.md"


def systems(root: Path = ROOT) -> list[System]:
    """Every system, by the name of its file."""
    gin_files = sorted((root / "gin/systems").glob("*.gin"))
    chosen = {path: _system_of(path, root) for path in gin_files}
    return [
        System(
            name=node.name,
            module=path.stem,
            papers=ast.get_docstring(tree).strip(),
            files={
                file.relative_to(root).as_posix(): _opening(file) for file, name in chosen.items() if name == node.name
            },
            **_parts(ast.get_docstring(node)),
        )
        for path, tree, node in _classes(root)
    ]


def costs(root: Path = ROOT) -> dict[str, list[str]]:
    """Name of a gin file -> passes of a network in a step, those over GAN's, milliseconds, and those over GAN's."""
    _, *lines = (root / STEPS).read_text(encoding="utf-8").splitlines()
    return {name: numbers[:4] for name, *numbers in map(str.split, lines)}


def _classes(root: Path) -> Iterator[tuple[Path, ast.Module, ast.ClassDef]]:
    for path in sorted((root / "bms_tf/systems").glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and {"System", "JointSystem"} & set(map(ast.unparse, node.bases)):
                yield path, tree, node


def _system_of(path: Path, root: Path) -> str | None:
    """What a gin file, or the last file that it includes, sets `train.system` to."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^train\.system = @(\w+)$", text, re.MULTILINE)
    for included in reversed(re.findall(r"^include '(systems/.+)'$", text, re.MULTILINE)):
        found = found or [_system_of(root / "gin" / included, root)]
    return found[-1] if found else None


def _opening(path: Path) -> str:
    """The first sentences of a gin file: its opening comment up to a line that ends with a full stop."""
    comment = re.match(r"((?:# .*\n)*?# .*\.\n)", path.read_text(encoding="utf-8"))
    return " ".join(comment[1].replace("# ", "").split()) if comment else ""


def _parts(docstring: str) -> dict:
    lines = docstring.splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("|")]
    first, last = (rows[0], rows[-1]) if rows else (len(lines), len(lines))
    # A cell may hold a bar, as p(x|z) does; one between two cells has a space on each side.
    cells = [[cell.strip() for cell in lines[i][1:-1].split(" | ")] for i in rows]
    table = [row for row in cells if not set("".join(row)) <= set("-|")]
    return {
        "summary": "\n".join(lines[:first]).strip(),
        "table": table,
        "remarks": "\n".join(lines[last + 1 :]).strip(),
    }


def formula(text: str) -> str:
    """Plain text with formulas as HTML with their letters; what stands in backquotes is code."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else _typeset(part) for part in parts)


def _typeset(text: str) -> str:
    text = re.sub(r"(?<![^\W_])(" + "|".join(LETTERS) + r")(?![^\W_]|_(?!\w))", lambda m: LETTERS[m[1]], text)
    for typed, printed in {"||_1": "‖₁", "||": "‖", " * ": " · ", " ~ ": " ∼ ", " >= ": " ≥ "}.items():
        text = text.replace(typed, printed)
    text = re.sub(r"(^|[\s(\[,=])-(?=[\w(\[∇])", r"\1−", text).replace(" - ", " − ")
    for character, entity in {"&": "&amp;", "<": "&lt;", "|": "&#124;", "*": "&#42;"}.items():
        text = text.replace(character, entity)
    text = re.sub(r"\b(\w)_hat\b", "\\1\u0302", text)
    text = re.sub(r"\b([^\W\d_]|max|mean|min|prod)_(\w+)\b", r"\1<sub>\2</sub>", text)
    text = re.sub(r"\^(\d|\w\b)", r"<sup>\1</sup>", text)
    return text.replace("_", "&#95;")


def _prose(text: str) -> str:
    """Paragraphs; an indented one is a formula that stands alone."""
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        if block.startswith("    "):
            blocks.append(f'<p class="formula">{_typeset(" ".join(block.split()))}</p>')
        else:
            text, *deviations = re.split(r"(?:^|(?<=\. ))Deviations?: ", " ".join(block.split()))
            blocks.append(formula(text))
            for body in map(formula, deviations):
                blocks.append(f'!!! note "Deviations from the paper"\n\n    {body[0].upper()}{body[1:]}')
    return "\n\n".join(block for block in blocks if block)


def page(system: System, root: Path = ROOT) -> str:
    """The Markdown of one system's page."""
    lines = [f"# {system.name}", "", f"*{formula(' '.join(system.papers.split()))}*", "", _prose(system.summary), ""]
    if system.table:
        heading, *rows = system.table
        lines += ["| " + " | ".join(cell.capitalize() for cell in heading) + " |", "| --- " * len(heading) + "|"]
        for term, *cells in rows:
            spans = [f'<span class="formula">{_typeset(cells[0])}</span>', *map(formula, cells[1:])]
            lines.append(f"| {formula(term)} | " + " | ".join(spans) + " |")
        lines.append("")
    lines += [_prose(system.remarks), "", "## Gin files", ""]
    for file, line in system.files.items():
        text = (root / file).read_text(encoding="utf-8")
        title = f"`{file}`: {line}".replace('"', "&quot;")
        lines += [f'??? abstract "{title}"', "", "    ```", *(f"    {x}" for x in text.splitlines()), "    ```", ""]
    if system.files:
        file = next((f for f in system.files if _stem(f) == system.module), next(iter(system.files)))
        command = f"python -m bms_tf.train --gin_file=gin/ring.gin --gin_file={file}"
        lines += ["On the ring, as on any other recipe:", "", "```bash", command, "```", ""]
    lines += [*_cost(system, root), *_pictures(system, root)]
    lines += ["## In Python", "", f"::: bms_tf.systems.{system.module}.{system.name}", "    options:"]
    lines += [
        "      show_root_heading: true",
        "      show_docstring_description: false",
        "      members: [__init__]",
        "      inherited_members: [__init__]",
        "",
    ]
    return "\n".join(lines)


def _cost(system: System, root: Path) -> list[str]:
    """The section on the time of a step, or nothing where none was measured."""
    known = costs(root)
    rows = [(name, known[name]) for name in map(_stem, system.files) if name in known]
    if not rows:
        return []
    lines = ["## The cost of a step", ""]
    lines += [
        "On the ring and one CPU core, beside other work, so that only the ratios count. A pass is one network applied "
        "to one batch, forward or backward.",
        "",
    ]
    heading = "| Gin file | Passes | Passes over GAN's | Milliseconds | Time over GAN's |"
    lines += [heading, "| --- | --- | --- | --- | --- |"]
    return [*lines, *(f"| `{name}` | {' | '.join(numbers)} |" for name, numbers in rows), ""]


def _pictures(system: System, root: Path) -> list[str]:
    """The section with pictures of runs, or nothing where there are none."""
    found = [
        f"![Samples of {name} on the {data}](../{path.relative_to(root / 'docs').as_posix()})"
        for name in map(_stem, system.files)
        for data in ("ring", "grid")
        if (path := root / PICTURES / f"{name}_{data}.png").exists()
    ]
    return ["## Runs", "", SHORT_RUNS, "", *found, ""] if found else []


def _stem(file: str) -> str:
    return Path(file).stem


def index(found: list[System]) -> str:
    """The Markdown of the list of all."""
    lines = [
        "# Systems",
        "",
        "One file per paper in `bms_tf/systems/`; each page here is made of the docstring of one. Any of their gin",
        "files, put behind any recipe, trains that method on that data. A term is `player/term`, as in the logs.",
        "",
        "The cost is the time of a step on the ring over that of GAN.",
        "",
        "| System | From | Gin files | Cost |",
        "| --- | --- | --- | --- |",
    ]
    known = costs()
    for system in found:
        files = ", ".join(f"`{_stem(file)}`" for file in system.files)
        times = sorted({float(known[name][3]) for name in map(_stem, system.files) if name in known})
        cost = " to ".join(dict.fromkeys(f"{time:.1f}" for time in times[:1] + times[-1:]))
        papers = formula(" ".join(system.papers.split()))
        lines.append(f"| [{system.name}]({system.module}.md) | {papers} | {files} | {cost} |")
    return "\n".join(lines) + "\n"


def on_files(files, config):
    """Adds the pages, and their names to the navigation where it says `systems`."""
    found = systems()
    files.append(File.generated(config, "systems/index.md", content=index(found)))
    for system in found:
        files.append(File.generated(config, system.page, content=page(system)))
    for section in config.nav:
        if "Systems" in section:
            section["Systems"] = ["systems/index.md", *({system.name: system.page} for system in found)]
    return files


def on_page_content(content, page, **_):
    """What docstrings, gin files and studies say on the generated pages gets its letters too; code stays as it is."""
    if not page.file.src_uri.startswith(("api/", "results", "systems/")):
        return content
    parts = re.split(r"(<pre\b.*?</pre>|<code\b.*?</code>|<[^>]+>)", content, flags=re.DOTALL)
    return "".join(part if part.startswith("<") else _typeset(html.unescape(part)) for part in parts)
