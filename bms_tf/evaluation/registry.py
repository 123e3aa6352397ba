"""The metrics by name: each function in a file of `bms_tf/metrics/` that takes samples or a model and a reference.

They are read from the source, so that asking what there is imports nothing.
"""

import ast
import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import bms_tf
from bms_tf.core.errors import nearest
from bms_tf.core.metric import FIRST


class Listed(NamedTuple):
    """Where a metric is, and the first line of what it says of itself."""

    module: str
    summary: str


@functools.cache
def listed() -> dict[str, Listed]:
    """Every metric that is shipped."""
    found = {}
    for path in sorted((Path(bms_tf.__file__).parent / "metrics").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args]
                keywords = {argument.arg for argument in node.args.kwonlyargs}
                if len(names) == 2 and names[0] in FIRST and names[1] == "reference" and "seed" in keywords:
                    summary = (ast.get_docstring(node) or "").split("\n")[0]
                    found[node.name] = Listed(f"bms_tf.metrics.{path.stem}", summary)
    return found


def find(name: str) -> Callable:
    """The metric, with its module imported. Raises ValueError if there is none of that name."""
    if name.lower() == "fid":
        raise ValueError("FID is the metric frechet with the features inception")
    if name not in listed():
        hint = nearest(name, listed()) or f"; there are {', '.join(sorted(listed()))}"
        raise ValueError(f"no metric {name!r}{hint}")
    return getattr(importlib.import_module(listed()[name].module), name)
