"""What happens at the boundary of a log interval."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from bms_tf.core.callbacks import Draw, Evaluate, ProgressBar, Record, Save, StopOnNonFinite, read_complete_lines
from bms_tf.core.training import Run


@pytest.fixture
def model():
    """What callbacks see of a model."""
    return SimpleNamespace(step=tf.Variable(0, dtype=tf.int64), bad_term=None, generator_updates=3, players=())


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


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_record_writes_a_line_for_each_interval(model, tmp_path):
    run(Record(str(tmp_path)), model, [10, 20], {"artist/loss": np.float32(0.5)})
    first, second = rows(tmp_path)
    # Three generator updates a step.
    assert {k: first[k] for k in first if k != "seconds"} == {"step": 10, "generator_updates": 30, "artist/loss": 0.5}
    assert (second["step"], second["generator_updates"]) == (20, 60)
    events = [
        (event.step, value.tag)
        for path in (tmp_path / "tensorboard").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert events == [(10, "artist/loss"), (20, "artist/loss")]


def test_record_drops_later_and_half_written_lines(model, tmp_path):
    # The run was killed after the line of step 30 and within that of step 40, and resumes at step 20.
    text = "".join(json.dumps({"step": step, "old": True}) + "\n" for step in (10, 20, 30)) + '{"step": 40, "ol'
    (tmp_path / "metrics.jsonl").write_text(text)
    model.step.assign(20)
    run(Record(str(tmp_path)), model, [30], {"new": 1.0})
    assert [(row["step"], "old" in row) for row in rows(tmp_path)] == [(10, True), (20, True), (30, False)]
    assert not (tmp_path / "metrics.jsonl.new").exists()


def test_read_complete_lines(tmp_path):
    path = tmp_path / "lines"
    assert read_complete_lines(str(path)) == []
    path.write_text("a\nb\nc")
    assert read_complete_lines(str(path)) == ["a\n", "b\n"]


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


def test_a_run_calls_them_in_the_order_of_the_file(tmp_path):
    # First the stop, so that nothing of a bad state is kept; scores before the line that holds them; and a checkpoint
    # after the line of its step, which would otherwise be lost by a crash between the two.
    passed = []
    fake = SimpleNamespace(
        system=tf.Module(),
        steps=10,
        check_data=lambda: None,
        _fit=lambda callbacks, **options: passed.extend(callbacks),
        scores=lambda samples: {},
        draw_samples=lambda: None,
        real_scores=lambda: {},
        figures=lambda: {},
        **dict.fromkeys(("log_every", "evaluate_every", "checkpoint_every", "keep_checkpoints"), 5),
    )
    fake.system.step = tf.Variable(0, dtype=tf.int64)
    Run.train(fake, str(tmp_path))
    assert [type(callback) for callback in passed] == [ProgressBar, StopOnNonFinite, Evaluate, Record, Draw, Save]


def test_evaluate_adds_its_scores_every_so_often_and_at_the_end(model):
    seen = run(Evaluate(lambda: {"hq": 0.5}, every=20, last=50), model, [10, 20, 30, 40, 50], {"loss": 1.0})
    assert [logs.get("hq") for logs in seen] == [None, 0.5, None, 0.5, 0.5]
    assert all(logs["loss"] == 1.0 for logs in seen)


def test_save_every_so_often_and_at_the_end(model):
    saved = []
    checkpoints = SimpleNamespace(save=lambda: saved.append(int(model.step)))
    run(Save(checkpoints, every=20, last=50), model, [10, 20, 30, 40, 50])
    assert saved == [20, 40, 50]


def test_draw_writes_files_and_events(model, tmp_path):
    record = Record(str(tmp_path))
    figure = Figure(figsize=(1, 1), dpi=40)
    draw = Draw(lambda: {"samples": figure}, str(tmp_path / "pictures"), record, every=20, last=50)
    run(draw, model, [10, 20, 50])
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["samples_0000020.png", "samples_0000050.png"]
    assert tf.io.decode_png((tmp_path / "pictures" / names[0]).read_bytes()).shape[:2] == (40, 40)


def test_progress_bar_goes_from_where_the_run_resumes_to_its_end(model, capsys):
    model.step.assign(30)
    bar = ProgressBar(total=100)
    run(bar, model, [30, 50])
    assert (bar.bar.initial, bar.bar.n, bar.bar.total) == (30, 50, 100)
    # The bar shows the sum of each player's terms.
    bar.shown -= 1
    bar.on_train_batch_end(0, {"critic/real": tf.constant(1.0), "critic/fake": tf.constant(0.25), "artist/fool": 3.0})
    assert bar.bar.postfix == "critic=1.25, artist=3"
    bar.on_train_end()
    assert "100" in capsys.readouterr().err
