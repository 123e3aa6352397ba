"""A MkDocs hook: a page for each notebook of docs/notebooks/, with the outputs that it was committed with.

The notebook itself is copied beside its page.
"""

import base64
import json
import re
from pathlib import Path

from mkdocs.structure.files import File

NOTEBOOKS = Path(__file__).parents[1] / "docs/notebooks"


def page(name: str, notebook: dict) -> tuple[str, dict[str, bytes]]:
    """The Markdown of a notebook, and the files of the pictures in it."""
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", source))
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                picture = f"{name}_{len(pictures)}.png"
                pictures[picture] = base64.b64decode("".join(output["data"]["image/png"]))
                parts.append(f"![What the cell above draws]({picture})")
            else:
                text = output["text"] if "text" in output else output["data"]["text/plain"]
                parts.append(f"```text\n{''.join(text).rstrip()}\n```")
    parts.insert(1, f"[The notebook as a file]({name}.ipynb), and [how to run it](../index.md#run-a-notebook)")
    return "\n\n".join(parts) + "\n", pictures


def on_files(files, config):
    """Adds the pages and their pictures."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        text, pictures = page(path.stem, json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files
