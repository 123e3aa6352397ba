"""What a study is said to cost, from the time of a few steps."""

from itertools import accumulate
from pathlib import Path

from bms_tf.studies import compute
from bms_tf.studies.folder import Folder


def test_slow_beginnings_do_not_count(tmp_path, monkeypatch):
    # Twenty steps after the first: fifteen of 2 s and five of 90, as where data is made anew. A run has 20 steps.
    ticks = accumulate([100.0] + [90.0, 2.0, 2.0, 2.0] * 5)
    monkeypatch.setattr(compute, "_processor_time", lambda: next(ticks))
    folder = Folder.enter(str(tmp_path / "study"), str(Path(__file__).parent / "tiny.gin"))
    assert compute.measure(folder, "ring", "VAE") == 2.0 * 20
