"""A gin file that was cut off within a statement, and what is said of it: Python's tokenizer has the words."""

import sys

TEXT = "a.b = 3\nc.d = ("
LINE, FAULT = (
    (2, "unexpected EOF in multi-line statement") if sys.version_info >= (3, 12) else (3, "EOF in multi-line statement")
)
