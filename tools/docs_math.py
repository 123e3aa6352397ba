"""A MkDocs hook: formulas between dollars become MathML, which browsers show without a script or the network."""

import html
import re

from latex2mathml.converter import convert


def on_page_content(content, **_):
    """`pymdownx.arithmatex` has marked the formulas."""
    for tag, kind, begin, end in (("span", "inline", r"\\\(", r"\\\)"), ("div", "block", r"\\\[", r"\\\]")):
        content = re.sub(
            rf'<{tag} class="arithmatex">{begin}(.*?){end}</{tag}>',
            lambda formula, kind=kind: convert(html.unescape(formula[1]), display=kind),
            content,
            flags=re.DOTALL,
        )
    return content
