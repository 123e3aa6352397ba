"""What a study is said to cost, from the time of a few steps."""

from itertools import accumulate
from pathlib import Path

import pytest

from bms_tf.studies import compute
from bms_tf.studies.folder import Folder


def test_slow_beginnings_do_not_count(tmp_path, monkeypatch):
    # Twenty steps after the first: fifteen of 2 s and five of 90, as where data is made anew. A run has 20 steps.
    ticks = accumulate([100.0] + [90.0, 2.0, 2.0, 2.0] * 5)
    monkeypatch.setattr(compute, "_processor_time", lambda: next(ticks))
    folder = Folder.enter(str(tmp_path / "study"), str(Path(__file__).parent / "tiny.gin"))
    assert compute.measure(folder, "ring", "VAE") == 2.0 * 20


@pytest.mark.parametrize(
    ("seconds", "all_of_it", "one"),
    [
        # Of each of the two methods two trials and two seeds, two at a time: four times the seconds of a run.
        (7.0, "28 seconds", "7 seconds"),
        (90.0, "6.0 minutes", "1.5 minutes"),
        (5400.0, "6.0 hours", "1.5 hours"),
    ],
)
def test_the_cost_in_words(tmp_path, monkeypatch, seconds, all_of_it, one):
    folder = Folder.enter(str(tmp_path / "study"), str(Path(__file__).parent / "tiny.gin"))
    monkeypatch.setattr(compute, "seconds", lambda folder: dict.fromkeys(folder.pairs(), seconds))
    first, *lines = compute.stated(folder, 2).splitlines()
    assert first.startswith(f"8 runs are left, 0 are done; about {all_of_it} with 2 at a time on this machine")
    assert lines == [f"  ring, {method}: 4 runs of {one}" for method in ("BMS-VAE, T = 2", "VAE")]
