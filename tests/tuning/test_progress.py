"""The bars of a search, from run folders made by hand."""

import io
import json
import threading

import pytest

from bms_tf.core.run_folder import RunFolder
from bms_tf.tuning import progress
from bms_tf.tuning.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def run(tmp_path):
    """The folder of a run at 500 of 6000 updates."""
    (tmp_path / "config.gin").write_text("updates = 6000\ntrain.generator_updates = %updates\n")
    rows = [{"step": step, "generator_updates": 2 * step} for step in (100, 250)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def said(monkeypatch, screen, run, tmp_path) -> str:
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr(progress, "EVERY", 1000.0)
    with Progress() as shown:
        shown.begin(str(run), "trial 3 on worker1")
        shown.begin(str(tmp_path / "new"), "trial 4 on worker0")
        shown.move()
        shown.say("trial 3: hq_percent 98")
        shown.end(str(run))
        shown.end("never begun")
    return screen.getvalue()


def test_a_terminal_shows_each_run_with_its_updates(monkeypatch, run, tmp_path):
    text = said(monkeypatch, Terminal(), run, tmp_path)
    assert "trial 3 on worker1:   8%|" in text and "| 500/6000 [" in text
    assert "trial 4 on worker0: 0update [" in text, "its run has not begun"
    assert "trial 3: hq_percent 98\n" in text


def test_the_speed_of_a_resumed_run_is_that_of_its_own_sitting(monkeypatch, run):
    monkeypatch.setattr("sys.stderr", Terminal())
    bars = Progress()
    bars.begin(str(run), "trial 3")
    bar = bars.bars[str(run)]
    assert (bar.initial, bar.total) == (500, 6000)
    # Its checkpoint was at step 200, behind which the log is cut.
    (run / "metrics.jsonl").write_text('{"step": 200, "generator_updates": 400}\n')
    bars.move()
    assert (bar.n, bar.initial) == (400, 400)
    bars.end(str(run))


def test_a_file_has_the_lines_alone(monkeypatch, run, tmp_path):
    assert said(monkeypatch, io.StringIO(), run, tmp_path) == "trial 3: hq_percent 98\n"


@pytest.mark.parametrize("text", ["", "train.generator_updates = (", "train.seed = 3\n"])
def test_a_damaged_file_stops_no_bar(run, text):
    (run / "config.gin").write_text(text)
    assert progress.state_of(RunFolder(str(run))) == (500, None)


def test_the_thread_ends_with_the_search():
    before = threading.active_count()
    with pytest.raises(RuntimeError), Progress():
        assert threading.active_count() == before + 1
        raise RuntimeError
    assert threading.active_count() == before
