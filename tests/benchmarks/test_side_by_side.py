"""The README's first picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_titles_are_whole(tmp_path):
    out = tmp_path / "samples.png"
    model = str(ROOT / "savedmodels/ring")
    script = ROOT / "benchmarks/side_by_side.py"
    subprocess.run([sys.executable, script, model, model, "--titles=One,Two", f"--out={out}"], cwd=ROOT, check=True)
    pixels = np.asarray(Image.open(out).convert("L"))
    inked = np.flatnonzero((pixels < 128).any(axis=1))
    assert inked[0] > 2, "nothing touches the upper edge"
    assert (pixels[inked[0] : inked[0] + 20] < 128).any(axis=0).sum() > 100, "and what comes first are letters"
