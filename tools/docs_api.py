"""A MkDocs hook: a page for each public package, with everything in its `__all__` where it is defined."""

import ast
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PAGES = {
    "systems": "Systems. What each of them is has a page of its own in the [gallery](../systems/index.md).",
    "networks": "Networks, layers and encoders.",
    "objectives": "Parts of a loss that a system is given.",
    "metrics": "Metrics: functions of arrays.",
    "pipelines": "Input pipelines. How they are used is under [Data](../data.md).",
    "modifiers": "What changes the phases of any system that it fits.",
}


def homes(package: str, root: Path = ROOT) -> dict[str, str]:
    """Name -> the module that defines it, from the block that type checkers read."""
    path = root / "bms_tf" / package
    source = (path / "__init__.py") if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {alias.name: line.module for line in block.body for alias in line.names}


def sights(found: dict[str, str], root: Path = ROOT) -> list[str]:
    """A table of what each of the metrics sees and does not see, or nothing where none of them says so."""
    rows = []
    for name, home in sorted(found.items()):
        tree = ast.parse((root / home.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8"))
        (node,) = [node for node in tree.body if getattr(node, "name", None) == name]
        text = " ".join((ast.get_docstring(node) or "").split())
        for sees, misses in re.findall(r"It sees (.+?)\. It does not see (.+?)\. Args:", text):
            shown = name.replace("_", "_<wbr>")  # a long name may break there on a phone
            rows.append(f"| [{shown}][{home}.{name}] | {sees} | {misses} |")
    return ["| Metric | It sees | It does not see |", "| --- | --- | --- |", *rows, ""] if rows else []


def page(package: str, root: Path = ROOT) -> str:
    """The Markdown of one package's page."""
    found = homes(package, root)
    lines = [f"# bms_tf.{package}", "", PAGES[package], "", *sights(found, root)]
    for name, home in sorted(found.items(), key=lambda pair: (pair[1], pair[0])):
        lines += [f"::: {home}.{name}", "    options:", "      heading_level: 2", '      filters: ["!^_[^_]"]']
        lines += ["      inherited_members: [__init__]"]
        # What a system is has its formulas set in the gallery.
        lines += ["      show_docstring_description: false", ""] if package == "systems" else [""]
    return "\n".join(lines)


def on_files(files, config):
    """Adds the pages."""
    for package in PAGES:
        files.append(File.generated(config, f"api/{package}.md", content=page(package)))
    return files
