"""What happens at the boundary of a log interval."""

import json
import math
import os
import signal
import sys
import unittest.mock
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

from bms_tf.core import callbacks
from bms_tf.core.callbacks import (
    Draw,
    Estimate,
    Evaluate,
    Operative,
    ProgressBar,
    Record,
    Save,
    StopOnNonFinite,
    StopOnSignal,
    Timing,
)
from bms_tf.core.keras import TensorLogs, keras
from bms_tf.core.run_folder import RunFolder
from bms_tf.core.training import Run


@pytest.fixture
def model():
    """What callbacks see of a model."""
    return SimpleNamespace(
        step=tf.Variable(0, dtype=tf.int64),
        distribute_strategy=tf.distribute.get_strategy(),
        bad_term=None,
        generator_updates=3,
        players=(),
        networks={},
        averages=[],
        variables=[],
    )


def run(callback, model, steps, logs=None):
    """One training up to each of `steps` in turn; returns the logs of each epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for step in steps:
        model.step.assign(step)
        seen.append(dict(logs or {}))
        callback.on_epoch_end(0, seen[-1])
    return seen


def test_no_callback_asks_for_the_losses_of_each_step():
    # One that Keras must give numbers would have it wait, at each step, for all losses to come from the device.
    ours = [c for c in vars(callbacks).values() if isinstance(c, type) and issubclass(c, keras.callbacks.Callback)]
    each_step = [c for c in ours if c.on_train_batch_end is not keras.callbacks.Callback.on_train_batch_end]
    assert {ProgressBar, Estimate, StopOnSignal} <= set(each_step)
    assert all(issubclass(c, TensorLogs) for c in each_step)


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def line(step):
    return json.dumps({"step": step, "generator_updates": 3 * step, "old": True}) + "\n"


def test_record_writes_a_line_for_each_interval(model, tmp_path):
    run(Record(RunFolder(str(tmp_path)), 10), model, [10, 20], {"artist/loss": np.float32(0.5)})
    first, second = rows(tmp_path)
    # Three generator updates a step.
    assert {k: first[k] for k in first if k != "seconds"} == {"step": 10, "generator_updates": 30, "artist/loss": 0.5}
    assert (second["step"], second["generator_updates"]) == (20, 60)
    assert events(tmp_path) == [(10, "artist/loss"), (20, "artist/loss")]


def test_a_value_that_is_not_finite_is_null(model, tmp_path):
    # NaN and Infinity are no JSON: other programs could not read the line.
    run(Record(RunFolder(str(tmp_path)), 10), model, [10], {"kl": np.nan, "distance": np.inf, "loss": 1.0})
    assert [(row["kl"], row["distance"], row["loss"]) for row in rows(tmp_path)] == [(None, None, 1.0)]


def test_record_drops_later_and_half_written_lines(model, tmp_path):
    # The run was killed after the line of step 30 and within that of step 40, and resumes at step 20.
    text = "".join(line(step) for step in (10, 20, 30)) + '{"step": 40, "ol'
    (tmp_path / "metrics.jsonl").write_text(text)
    model.step.assign(20)
    run(Record(RunFolder(str(tmp_path)), 10), model, [30], {"new": 1.0})
    assert [(row["step"], "old" in row) for row in rows(tmp_path)] == [(10, True), (20, True), (30, False)]
    assert not (tmp_path / "metrics.jsonl.new").exists()


def test_damaged_and_missing_lines_are_named_and_cost_no_others(model, tmp_path, capsys):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        line(10) + "\0\0\n" + "\n" + line(40) + '{"step": true}\n' + '{"generator_updates": 3}\n' + line(50)
    )
    model.step.assign(50)
    run(Record(RunFolder(str(tmp_path)), 10), model, [60])
    assert [row["step"] for row in rows(tmp_path)] == [10, 40, 50, 60]
    damaged = [f"{path}:{number} is damaged and is left out" for number in (2, 3, 5, 6)]
    assert capsys.readouterr().out.splitlines() == [*damaged, f"{path} lacks 2 line(s), of the steps 20 to 30"]


def events(folder):
    return [
        (event.step, value.tag)
        for path in sorted((folder / "tensorboard").iterdir())
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]


def test_events_behind_the_step_of_a_resumed_run_are_dropped(model, tmp_path):
    # Killed behind step 30, with the last event cut off; it resumes at step 20.
    run(Record(RunFolder(str(tmp_path)), 10), model, [10, 20, 30], {"old": 1.0})
    (path,) = (tmp_path / "tensorboard").iterdir()
    with open(path, "ab") as file:
        file.write(path.read_bytes()[:20])
    model.step.assign(20)
    run(Record(RunFolder(str(tmp_path)), 10), model, [30], {"new": 2.0})
    assert sorted(events(tmp_path)) == [(10, "old"), (20, "old"), (30, "new")]


@pytest.mark.parametrize(("newest", "shown"), [("run/ckpt-10", "run/ckpt-10"), (None, "none")])
def test_stop_on_non_finite_names_player_term_and_step(model, newest, shown):
    callback = StopOnNonFinite(SimpleNamespace(newest=newest))
    run(callback, model, [10])
    model.bad_term = ("critic/real", 17)
    message = f"^the loss critic/real is not finite at step 17; the last good checkpoint: {shown}$"
    with pytest.raises(ValueError, match=message):
        run(callback, model, [20])


def test_stop_on_weights_that_are_not_finite(model):
    # The gradient of the last step was NaN, so no loss has seen it yet; a checkpoint of it would be no good one.
    weights = {"artist": [tf.Variable([1.0])], "critic": [tf.Variable([1.0]), tf.Variable([np.nan])]}
    model.players, model.trainable = tuple(weights), weights.get
    with pytest.raises(ValueError, match="^the weights of critic are not finite at step 10; .*: none$"):
        run(StopOnNonFinite(SimpleNamespace(newest=None)), model, [10])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("statistics", "the statistics of artist are not finite"),
        ("averages", "the moving average of the generator is not finite"),
        ("own", "k is not finite"),
    ],
)
def test_stop_on_other_state_that_is_not_finite(model, kind, message):
    # None of these is a weight: a batch's variance, the average that is exported, BEGAN's k.
    bad = tf.Variable([1.0, np.inf], name="k")
    network = SimpleNamespace(non_trainable_variables=[bad] if kind == "statistics" else [])
    model.networks, model.averages = {"artist": network}, [bad] if kind == "averages" else []
    model.variables = [bad, model.step]
    with pytest.raises(ValueError, match=f"^{message} at step 10; "):
        run(StopOnNonFinite(SimpleNamespace(newest=None)), model, [10])


def test_a_run_calls_them_in_the_order_of_the_file(tmp_path):
    # First the stop, so that nothing of a bad state is kept; scores before the line that holds them; and a checkpoint
    # after the line of its step, which would otherwise be lost by a crash between the two.
    passed = []
    often = dict.fromkeys(("log_every", "evaluate_every", "checkpoint_every"), 5)
    fake = SimpleNamespace(
        steps=10,
        timing=Timing(5, 10),
        fit=lambda start, stop, callbacks: passed.extend(callbacks),
        sample_scores=lambda: {},
        data_hashes={},
        figures=lambda: {},
        recipe=SimpleNamespace(measuring_share=1.0, **often),
    )
    with pytest.raises(AttributeError, match="scores"):  # which nothing has computed
        Run._train(fake, 0, RunFolder(str(tmp_path)), SimpleNamespace(folder=str(tmp_path)), ())
    order = [ProgressBar, StopOnNonFinite, Estimate, Evaluate, Record, Draw, Operative, Save, StopOnSignal]
    assert [type(callback) for callback in passed] == order


def test_evaluate_adds_its_scores_every_so_often_and_at_the_end(model):
    seen = run(
        Evaluate(lambda: {"hq": 0.5}, every=20, timing=Timing(10, 50)), model, [10, 20, 30, 40, 50], {"loss": 1.0}
    )
    assert [logs.get("hq") for logs in seen] == [None, 0.5, None, 0.5, 0.5]
    assert all(logs["loss"] == 1.0 for logs in seen)


def test_evaluate_prints_the_scores_that_are_numbers(model, capsys):
    for scores in ({"modes": 0.0, "std_ratio": math.nan}, {"std_ratio": math.nan}):
        run(Evaluate(lambda scores=scores: scores, every=20, timing=Timing(10, 20)), model, [20], {})
    assert capsys.readouterr().out == "step 20: modes 0\nstep 20: no score is a number\n"


def test_evaluation_keeps_to_its_share_of_the_time(model, monkeypatch):
    # A clock of our own: an interval takes 1 s and each evaluation 2 s; the share is 0.3. At step 10 nothing is spent,
    # and it is evaluated: 2 s of 3. At 20 those are 2 of 4, at 30 2 of 5, at 40 2 of 6: over 0.3. At 50 2 of 7 is not.
    # At 60 4 s of 10, over it, and so at 70 and 80 (4 of 12); but 80 is the last.
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])

    class Clock(Evaluate):
        def on_epoch_end(self, epoch, logs=None):
            now[0] += 1
            super().on_epoch_end(epoch, logs)

    def evaluate():
        now[0] += 2
        return {"hq": 0.5}

    seen = run(Clock(evaluate, every=10, timing=Timing(10, 80), share=0.3), model, range(10, 90, 10))
    assert [step for step, logs in zip(range(10, 90, 10), seen) if logs] == [10, 50, 80]


def test_save_every_so_often_and_at_the_end(model):
    saved = []
    checkpoints = SimpleNamespace(save=lambda: saved.append(int(model.step)))
    run(Save(checkpoints, every=20, timing=Timing(10, 50)), model, [10, 20, 30, 40, 50])
    assert saved == [20, 40, 50]


@pytest.mark.parametrize(
    ("log_every", "every", "last", "done"),
    [
        (10, 15, 50, [20, 30, 50]),  # 15, 30 and 45 fall into the intervals that end at 20, 30 and 50
        (10, 4, 25, [10, 20, 25]),  # more often than it is logged
        (10, 100, 25, [25]),  # less often than the run is long
        (30, 100, 20, [20]),  # and the log as well
        (20, 30, 110, [40, 60, 100, 110]),  # 30, 60 and 90; the last interval is shorter
    ],
)
def test_what_falls_due_within_an_interval_is_done_at_its_end(log_every, every, last, done):
    ends = [*range(log_every, last, log_every), last]
    assert [step for step in ends if Timing(log_every, last).due(step, every)] == done


def recorded(model, folder):
    """A `Record` whose training has begun."""
    record = Record(RunFolder(str(folder)), 10)
    run(record, model, [])
    return record


def test_draw_writes_files_and_events(model, tmp_path):
    figure = Figure(figsize=(1, 1), dpi=40)
    draw = Draw(
        lambda: {"samples": figure},
        str(tmp_path / "pictures"),
        recorded(model, tmp_path),
        every=20,
        timing=Timing(10, 50),
    )
    run(draw, model, [10, 20, 50])
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["samples.gif", "samples_0000020.png", "samples_0000050.png"]
    assert tf.io.decode_png((tmp_path / "pictures" / names[1]).read_bytes()).shape[:2] == (40, 40)


def test_of_a_single_picture_there_is_no_animation(model, tmp_path):
    draw = Draw(
        lambda: {"samples": Figure(figsize=(1, 1), dpi=10)},
        str(tmp_path / "pictures"),
        recorded(model, tmp_path),
        every=50,
        timing=Timing(10, 50),
    )
    run(draw, model, [10, 50])
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["samples_0000050.png"]


def shades(path) -> list[int]:
    """The gray level of each frame."""
    with Image.open(path) as movie:
        return [frame.convert("L").getpixel((5, 5)) for frame in ImageSequence.Iterator(movie)]


def test_the_animation_is_the_pictures_in_their_order(model, tmp_path):
    # Past step 10^7 a name is longer.
    colors = {10: "black", 9_999_990: "gray", 10_000_000: "white"}
    record = recorded(model, tmp_path)
    for steps in ([10], [9_999_990, 10_000_000]):  # stopped and resumed
        draw = Draw(
            lambda: {"shade": Figure(figsize=(1, 1), dpi=10, facecolor=colors[int(model.step)])},
            str(tmp_path),
            record,
            every=10,
            timing=Timing(10, 10_000_000),
        )
        run(draw, model, steps)
    assert shades(tmp_path / "shade.gif") == pytest.approx([0, 128, 255], abs=3)  # matplotlib's gray is 0.5


@pytest.mark.parametrize(("pictures", "shown"), [(5, [0.0, 0.4, 0.8]), (6, [0.2, 0.6, 1.0])])
def test_the_animation_has_a_limit(pictures, shown, model, tmp_path, monkeypatch):
    # Room for three: every second one, up to the last.
    monkeypatch.setattr(Draw, "FRAMES", 3)
    shade = iter(["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
    draw = Draw(
        lambda: {"shade": Figure(figsize=(1, 1), dpi=10, facecolor=next(shade))},
        str(tmp_path),
        recorded(model, tmp_path),
        every=10,
        timing=Timing(10, 10 * pictures),
    )
    run(draw, model, [10 * (i + 1) for i in range(pictures)])
    assert shades(tmp_path / "shade.gif") == pytest.approx([255 * gray for gray in shown], abs=3)


@pytest.mark.parametrize("damage", ["cut", "length"])
def test_a_damaged_picture_is_left_out_of_the_animation_and_said(damage, model, tmp_path, capsys):
    """A wrong length of a part of a PNG is a SyntaxError of Pillow's."""
    shade = iter(["0.0", "0.5", "1.0"])
    draw = Draw(
        lambda: {"shade": Figure(figsize=(1, 1), dpi=10, facecolor=next(shade))},
        str(tmp_path),
        recorded(model, tmp_path),
        every=10,
        timing=Timing(10, 30),
    )
    run(draw, model, [10])
    path = tmp_path / "shade_0000010.png"
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") - 1] //= 2
    path.write_bytes(content if damage == "length" else content[:60])
    run(draw, model, [20, 30])
    with Image.open(tmp_path / "shade.gif") as movie:
        assert movie.n_frames == 2
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{path} cannot be read: "))
    assert line.endswith("; it is left out of the animation") and ("broken PNG file" in line) == (damage == "length")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_at_the_next_step_and_ends_with_its_code(model, number, capsys):
    saved, before = [], signal.getsignal(number)
    checkpoints = SimpleNamespace(save=lambda: saved.append(int(model.step)) or saved[-1], newest=None)
    non_finite = StopOnNonFinite(checkpoints)
    stop = StopOnSignal(checkpoints, non_finite)
    for callback in (non_finite, stop):
        callback.set_model(model)
    stop.set_params({"steps": 5})
    stop.__enter__()
    model.step.assign(12)
    stop.on_train_batch_end(1)
    os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before, "a second one is not held back"
    model.step.assign(15)
    stop.on_train_batch_end(4)  # the last one of its interval, whose line is not written yet
    assert saved == []
    model.step.assign(13)
    with pytest.raises(SystemExit) as ended:
        stop.on_train_batch_end(2)
    assert (saved, ended.value.code) == ([13], 128 + number)
    with pytest.raises(SystemExit):
        stop.on_epoch_end(0)
    said = f"stopped by {number.name} at step 13; the same command resumes there"
    assert capsys.readouterr().out.splitlines() == [said] * 2
    # Nothing that is not finite is saved.
    model.bad_term = ("critic/real", 13)
    with pytest.raises(ValueError, match="the loss critic/real is not finite at step 13"):
        stop.on_epoch_end(0)


def test_a_process_that_was_started_to_outlive_its_terminal_does():
    with unittest.mock.patch("signal.getsignal", {signal.SIGHUP: signal.SIG_IGN}.get):
        with StopOnSignal(None, None) as stop:
            assert stop.handlers.keys() == {signal.SIGINT, signal.SIGTERM}


def test_the_estimate(model, monkeypatch, capsys, tmp_path):
    # The first batch ends at step 1 and 100 s, which is mostly tracing; the interval at step 10 and 118 s: 2 s a step.
    # 90 steps are left: 180 s.
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(callbacks.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2_000_000))
    estimate = Estimate(SimpleNamespace(folder=str(tmp_path / "checkpoints"), size=12_300), total=100)
    estimate.set_model(model)
    for step, time in ((1, 100), (10, 118)):
        model.step.assign(step)
        now[0] = time
        estimate.on_train_batch_end(step - 1)
    for _ in range(2):  # once
        estimate.on_epoch_end(0)
    said = "90 more steps in about 03:00, without scores and pictures; checkpoints up to 12.3kB of 2.00MB free\n"
    assert capsys.readouterr().out == said


def test_progress_bar_goes_from_where_the_run_resumes_to_its_end(model, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    model.step.assign(30)
    bar = ProgressBar(total=100)
    run(bar, model, [30, 50])
    assert (bar.bar.initial, bar.bar.n, bar.bar.total) == (30, 50, 100)
    # The bar shows the sum of each player's terms.
    bar.shown -= 1
    bar.on_train_batch_end(0, {"critic/real": tf.constant(1.0), "critic/fake": tf.constant(0.25), "artist/fool": 3.0})
    assert bar.bar.postfix == "critic=1.25, artist=3"
    bar.close()
    assert "100" in capsys.readouterr().err


def test_no_progress_bar_where_the_screen_is_a_file(model, capsys):
    bar = ProgressBar(total=100)
    run(bar, model, [50])
    bar.on_train_batch_end(0, {})
    bar.close()
    assert capsys.readouterr().err == ""
