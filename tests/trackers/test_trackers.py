"""What a tracker is sent, by the stores that MLflow and Weights & Biases write without a server."""

import json
import os
import sys
from pathlib import Path

import pytest

from bms_tf.core import config, errors, training
from bms_tf.trackers.mlflow import mlflow
from bms_tf.trackers.tracker import FAILED, FINISHED, STOPPED, Tracker
from bms_tf.trackers.wandb import wandb

PARAMS = [
    "BMSVAEGAN.T = 2",
    "code_size = 3",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    "train.batch_size = 16",
    "train.log_every = 10",
    "train.evaluate_every = 20",
    "train.checkpoint_every = 20",
    "train.steps_per_execution = 1",
    "train.samples = 50",
    "ring.held_out = 300",
    "train.trackers = [@mlflow, @wandb]",
]
ROOT = Path(__file__).parents[2]
FILES = [str(ROOT / "gin" / name) for name in ("ring.gin", "trackers/mlflow.gin", "trackers/wandb.gin")]


class Model:
    """As much of a system as a callback looks at."""

    step = None

    def at(self, step):
        self.step = type("Step", (), {"numpy": lambda self: step})()


class Noted(Tracker):
    """Keeps what it is told; raises KeyError, or the error that is given, while it is `down`."""

    name, errors = "noted", KeyError

    def __init__(self, *args):
        super().__init__(*args)
        self.told, self.down, self.error = [], False, KeyError("no key\nand more")
        self.set_model(Model())

    def begin(self, record):
        if self.down:
            raise KeyError("no key\nand more")
        return record or "first"

    def send(self, step, values, pictures):
        if self.down:
            raise self.error
        if "%" in values:
            raise KeyError("a bad name")
        self.told.append((step, values, sorted(pictures)))

    def end(self, outcome):
        self.told.append(outcome)

    def refuses(self, error):
        return error.args == ("a bad name",)

    def line(self, step, **logs):
        self.model.at(step)
        self.on_epoch_end(0, logs)


def test_a_line_has_the_finite_values_and_the_pictures_of_its_step(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name in ("density_0000010", "density_0000020", "sample_grid_0000020"):
        (tmp_path / "pictures" / f"{name}.png").write_text("")
    with Noted(str(tmp_path), {}) as noted:
        noted.line(10, loss=1.0, hq=float("nan"))
        noted.line(20, loss=2, hq=3.0)
    assert noted.told == [
        (10, {"loss": 1.0}, ["density"]),
        (20, {"loss": 2.0, "hq": 3.0}, ["density", "sample_grid"]),
        FINISHED,
    ]


def test_a_resumed_run_sends_nothing_twice(tmp_path):
    with pytest.raises(SystemExit), Noted(str(tmp_path), {}) as noted:
        for step in (10, 20, 30):
            noted.line(step, loss=1.0)
        raise SystemExit(143)
    assert noted.told[-1] == STOPPED
    assert json.loads((tmp_path / "noted.json").read_text()) == {"record": "first", "step": 30}
    with Noted(str(tmp_path), {}) as again:  # from the checkpoint of step 10
        for step in (20, 30, 40):
            again.line(step, loss=1.0)
    assert again.record == "first" and again.told == [(40, {"loss": 1.0}, []), FINISHED]


@pytest.mark.parametrize(
    "kept", ["{}", '{"record": "first"}', '{"record": "first", "step": "x"}', '{"record": 1, "step": 1}']
)
def test_a_damaged_state_is_one_line(tmp_path, kept):
    (tmp_path / "noted.json").write_text(kept)
    with pytest.raises(ValueError, match=f"^{tmp_path}/noted.json is damaged .*; delete it for a new record$"):
        Noted(str(tmp_path), {}).__enter__()


def test_what_cannot_be_sent_is_a_warning_and_is_sent_later(tmp_path, capsys):
    with Noted(str(tmp_path), {}) as noted:
        noted.line(10, loss=1.0)
        noted.down = True
        noted.line(20, loss=2.0)
        noted.line(30, loss=3.0)
        assert json.loads((tmp_path / "noted.json").read_text())["step"] == 10
        noted.down = False
        noted.line(40, loss=4.0)
    assert [told[0] for told in noted.told[:-1]] == [10, 20, 30, 40]
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cannot send to noted")]
    assert len(warnings) == 2 and "no key" in warnings[0]


@pytest.mark.parametrize("error", [NotADirectoryError(20, "Not a directory"), ConnectionResetError()])
def test_a_lost_tracker_does_not_end_the_training(error, tmp_path, capsys):
    with Noted(str(tmp_path), {}) as noted:
        noted.down, noted.error = True, error
        noted.line(10, loss=1.0)
    assert noted.told == [FINISHED], "the record is closed all the same"
    said = f"cannot send to noted; the training goes on: {str(error) or type(error).__name__}"
    assert capsys.readouterr().out.splitlines() == [said] * 2, "at the line and at the end"


def test_a_line_that_is_refused_holds_up_no_other(tmp_path, capsys):
    with Noted(str(tmp_path), {}) as noted:
        noted.line(10, **{"%": 1.0})
        noted.line(20, loss=2.0)
        noted.line(30, **{"%": 3.0})
    assert noted.told == [(20, {"loss": 2.0}, []), FINISHED]
    assert json.loads((tmp_path / "noted.json").read_text())["step"] == 30
    assert capsys.readouterr().out.splitlines() == ["noted refuses a line, which is left out: 'a bad name'"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A folder with MLflow's store, and with a run that has a picture of step 10."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "run" / "pictures").mkdir(parents=True)
    (tmp_path / "run" / "pictures" / "density_0000010.png").write_text("")
    return tmp_path


def lines(tracker, **values):
    """Of steps 10 and 20."""
    tracker.set_model(Model())
    with tracker:
        for step in (10, 20):
            tracker.model.at(step)
            tracker.on_epoch_end(0, values if step == 10 else {"loss": 2.0})
    return tracker.client.get_run(tracker.record)


@pytest.mark.slow
def test_mlflow_goes_on_after_a_name_that_it_refuses(store, capsys):
    run = lines(mlflow(str(store / "run"), {}), **{"recall@5 (%)": 1.0})
    assert run.data.metrics == {"loss": 2.0} and run.info.status == "FINISHED"
    assert capsys.readouterr().out.count("mlflow refuses a line, which is left out: Invalid") == 1


@pytest.mark.slow
def test_mlflow_without_its_artifacts_does_not_end_the_training(store, capsys):
    from mlflow import MlflowClient

    (store / "lost").write_text("")
    MlflowClient().create_experiment("bms_tf", artifact_location=f"file://{store}/lost")
    run = lines(mlflow(str(store / "run"), {}), loss=1.0)
    assert run.info.status == "FINISHED" and run.data.metrics == {}, "which wait for the picture"
    assert "cannot send to mlflow; the training goes on: [Errno 20] Not a directory" in capsys.readouterr().out


def test_without_a_record_the_training_does_not_begin(tmp_path):
    noted = Noted(str(tmp_path), {})
    noted.down = True
    with pytest.raises(OSError, match="noted cannot open a record: 'no key"), noted:
        pass


def test_a_training_that_fails_is_told(tmp_path):
    noted = Noted(str(tmp_path), {})
    with pytest.raises(ValueError), noted:
        raise ValueError("the loss is not finite")
    assert noted.told == [FAILED]


@pytest.mark.parametrize("tracker", [mlflow, wandb])
def test_a_missing_package_is_one_clear_line(tracker, monkeypatch):
    name = tracker.__name__
    monkeypatch.setitem(sys.modules, name, None)
    line = rf'^{name}: {name} is missing: in the clone, pip install -c constraints.txt -e ".\[{name}\]"$'
    with pytest.raises(errors.ConfigError, match=line), errors.in_one_line():
        tracker("run", {})


# A real run, tracked by both at once: it ends at step 20, is prolonged to 40, and then loses its newest checkpoint, so
# that the steps after 20 are done once more.


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    pytest.importorskip("mlflow")
    pytest.importorskip("wandb")
    here = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("MLFLOW_TRACKING_URI", f"file://{here}/mlruns")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")

        def train(updates):
            config.load(
                [str(Path(__file__).parents[2] / file) for file in FILES],
                [*PARAMS, f"train.generator_updates = {updates}"],
            )
            training.new_run().train("run")

        train(20)
        train(40)
        for path in (here / "run/checkpoints").glob("ckpt-40.*"):
            path.unlink()
        train(40)
        yield here


def rows(here):
    lines = (here / "run/metrics.jsonl").read_text().splitlines()
    return {row["step"]: row for row in map(json.loads, lines)}


@pytest.mark.slow
def test_mlflow_has_one_record_with_everything(tracked):
    from mlflow import MlflowClient

    client = MlflowClient(f"file://{tracked}/mlruns")
    (run,) = client.search_runs([client.get_experiment_by_name("bms_tf").experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.info.run_id == json.loads((tracked / "run/mlflow.json").read_text())["record"]
    assert run.data.params["mlp.hidden"] == "(8,)" and run.data.params["BMSVAEGAN.T"] == "2"
    assert run.data.params["train.generator_updates"] == "20"
    assert run.data.tags["train.generator_updates"] == "40", "what has changed since"
    terms = [name for name in rows(tracked)[10] if "/" in name]
    assert "autoencoder/reconstruction" in terms
    for name in terms:
        history = client.get_metric_history(run.info.run_id, name)
        assert {m.step: m.value for m in history} == {step: row[name] for step, row in rows(tracked).items()}
        assert sorted(m.step for m in history) == [10, 20, 30, 40], "each line once"
    scored = client.get_metric_history(run.info.run_id, "hq_percent")
    assert sorted(m.step for m in scored) == [20, 40]
    names = {
        a.path for folder in ("", "pictures", "checkpoints") for a in client.list_artifacts(run.info.run_id, folder)
    }
    kept = {
        "config.gin",
        "scores.json",
        "pictures/density_0000020.png",
        "pictures/density.gif",
        "checkpoints/ckpt-40.index",
    }
    assert kept <= names


def records(path):
    """Of the file that Weights & Biases writes offline."""
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    store = DataStore()
    store.open_for_scan(str(path))
    while (data := store.scan_data()) is not None:
        record = Record()
        record.ParseFromString(data)
        yield record


@pytest.mark.slow
def test_weights_and_biases_has_one_record_with_everything(tracked):
    sittings = sorted(tracked.glob("wandb/offline-run-*"), key=os.path.getmtime)
    (name,) = {folder.name.rsplit("-", 1)[1] for folder in sittings}
    assert len(sittings) == 3 and name == json.loads((tracked / "run/wandb.json").read_text())["record"]
    found = [record for folder in sittings for record in records(folder / f"run-{name}.wandb")]
    lines = []
    for record in found:
        if record.HasField("history"):
            items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            lines.append(items)
    for key in ("autoencoder/reconstruction", "hq_percent"):
        sent = {line["_step"]: line[key] for line in lines if key in line}
        assert sent == {step: row[key] for step, row in rows(tracked).items() if key in row}
    assert [line["_step"] for line in lines] == [10, 20, 30, 40], "each line once"
    assert [line["_step"] for line in lines if "density/path" in line] == [20, 40]
    settings = {}
    for record in found:
        for item in (*record.run.config.update, *record.config.update):
            settings[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    assert settings["mlp.hidden"] == "(8,)" and settings["train.generator_updates"] == "40"
    uploaded = [r.request.log_artifact.artifact for r in found if r.HasField("request")] + [
        r.artifact for r in found if r.HasField("artifact")
    ]
    contents = {entry.path for artifact in uploaded for entry in artifact.manifest.contents}
    assert {"config.gin", "scores.json", "metrics.jsonl"} <= contents
