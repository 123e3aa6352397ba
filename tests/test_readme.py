"""The README's example of use as a library runs as it is printed."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_library_example_runs():
    section = re.search(r"## As a library\n(.*?)\n## ", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    code = textwrap.dedent("\n".join(line for line in section.splitlines() if line.startswith("    ") or not line))
    names, fewer = {}, code.replace("steps_per_epoch=500, epochs=4", "steps_per_epoch=20, epochs=1")
    exec(compile(fewer, str(README), "exec"), names)
    assert names["samples"].shape == (1000, 2)
    assert np.isfinite(names["samples"]).all()
    assert int(names["system"].step.numpy()) == 20
