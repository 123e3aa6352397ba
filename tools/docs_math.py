"""A MkDocs hook: formulas between dollars become MathML, which browsers show without a script or the network."""

import html
import re

from latex2mathml.converter import convert


def on_page_content(content, **_):
    """`pymdownx.arithmatex` has marked the formulas."""
    for tag, kind, begin, end in (("span", "inline", r"\\\(", r"\\\)"), ("div", "block", r"\\\[", r"\\\]")):
        content = re.sub(
            rf'<{tag} class="arithmatex">{begin}(.*?){end}</{tag}>',
            lambda formula, kind=kind: _spaced(convert(html.unescape(formula[1]), display=kind)),
            content,
            flags=re.DOTALL,
        )
    return content


def _spaced(formula: str) -> str:
    """With the space that the converter leaves out: around the relation `\\sim`, and behind `\\log`."""
    formula = formula.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")
    return formula.replace("<mi>log</mi><mi>", '<mi>log</mi><mspace width="0.167em" /><mi>')
