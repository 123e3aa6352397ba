"""The files that TensorFlow Serving reads, by its own protos; and the models they name."""

import re
from functools import partial

import pytest
import yaml
from google.protobuf import text_format

from tests.commands import run
from tests.shipped import MODELS, NAMES


def test_every_model_is_listed_with_labels_of_versions_that_are_there():
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text = (MODELS / "models.config").read_text()
    configs = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    assert sorted(config.name for config in configs if not config.name.startswith("my_")) == NAMES
    for config in configs:
        assert config.base_path == f"/models/{config.name}" and config.model_platform == "tensorflow"
        versions = list(config.model_version_policy.specific.versions)
        assert versions and all(
            (MODELS / config.name / str(version) / "saved_model.pb").exists() for version in versions
        )
        assert config.version_labels["stable"] in versions and set(config.version_labels.values()) <= set(versions)


def test_monitoring():
    monitoring_config_pb2 = pytest.importorskip("tensorflow_serving.config.monitoring_config_pb2")
    text = (MODELS / "monitoring.config").read_text()
    prometheus = text_format.Parse(text, monitoring_config_pb2.MonitoringConfig()).prometheus_config
    assert prometheus.enable and prometheus.path.startswith("/")


def test_batching_takes_what_the_client_sends():
    """And has no allowed_batch_sizes, with which a request without rows ends Serving."""
    from bms_tf.client import Client

    text = (MODELS / "batching.config").read_text()
    (largest,) = map(int, re.findall(r"max_batch_size \{ value: (\d+) \}", text))
    assert not re.search(r"^allowed_batch_sizes", text, re.MULTILINE)
    assert Client.__init__.__kwdefaults__["max_rows"] == largest


@pytest.fixture
def folder(tmp_path):
    """Two versions of a model, which nothing lists yet."""
    for version in ("1", "2"):
        (tmp_path / "ring" / version).mkdir(parents=True)
        (tmp_path / "ring" / version / "saved_model.pb").touch()
    return tmp_path


def listed(folder) -> dict:
    """What Serving reads: {model: (versions, labels)}."""
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text = (folder / "models.config").read_text()
    configs = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    return {c.name: (list(c.model_version_policy.specific.versions), dict(c.version_labels)) for c in configs}


def test_a_version_is_tried_promoted_and_rolled_back(folder):
    listing = pytest.importorskip("bms_tf.serving.listing")
    assert listing.put(str(folder), "ring", 1, "stable") == f"{folder / 'models.config'}: ring, stable = 1"
    assert listed(folder) == {"ring": ([1], {"stable": 1})}
    listing.put(str(folder), "ring", 2, "canary")
    assert listed(folder) == {"ring": ([1, 2], {"stable": 1, "canary": 2})}
    listing.put(str(folder), "ring", 2, "stable")
    assert listed(folder) == {"ring": ([2], {"stable": 2, "canary": 2})}
    said = listing.put(str(folder), "ring", 1, "stable")
    assert listed(folder) == {"ring": ([1, 2], {"stable": 1, "canary": 2})} and said.endswith("canary = 2, stable = 1")
    assert sorted(path.name for path in folder.iterdir()) == ["models.config", "ring"], "no file is left beside it"


def test_another_model_is_added_to_the_committed_ones(folder):
    listing = pytest.importorskip("bms_tf.serving.listing")
    (folder / "models.config").write_text((MODELS / "models.config").read_text())
    (folder / "ring").rename(folder / "mine")
    listing.put(str(folder), "mine", 2, "stable")
    assert listed(folder) == {**listed(MODELS), "mine": ([2], {"stable": 2})}
    text = (folder / "models.config").read_text()
    assert text.startswith("# The models that TensorFlow Serving loads") and 'base_path: "/models/mine"' in text


@pytest.mark.parametrize(
    ("name", "version", "label", "message"),
    [
        ("ring", 3, "stable", "ring has no version 3"),
        ("grid", 1, "stable", "grid has no version 1"),
        ("../ring", 1, "stable", "the name is '../ring'"),
        ("ring", 1, "a b", "the label 'a b'"),
    ],
)
def test_what_cannot_be_listed_is_one_line(folder, name, version, label, message):
    listing = pytest.importorskip("bms_tf.serving.listing")
    with pytest.raises(ValueError, match=message):
        listing.put(str(folder), name, version, label)
    assert not (folder / "models.config").exists()


def test_a_list_that_is_none_is_left_as_it_is(folder):
    listing = pytest.importorskip("bms_tf.serving.listing")
    (folder / "models.config").write_text("no list\n")
    with pytest.raises(ValueError, match="models.config is no list of models: 1:1 : "):
        listing.put(str(folder), "ring", 1, "stable")
    assert (folder / "models.config").read_text() == "no list\n"


@pytest.mark.slow
def test_the_command(folder):
    pytest.importorskip("tensorflow_serving")
    command = partial(run, "bms_tf.label", f"--model_dir={folder}", "--name=ring", "--version=2")
    done = command("--label=stable")
    assert done.returncode == 0 and done.stdout == f"{folder / 'models.config'}: ring, stable = 2\n", done.stderr
    done = command()
    assert done.returncode == 1 and done.stderr.startswith("error: --name, --version and --label are needed; ")


def test_compose_mounts_what_it_names():
    service = yaml.safe_load((MODELS / "compose.yaml").read_text())["services"]["serving"]
    assert service["volumes"] == [".:/models:ro"]
    named = [flag.split("=/models/")[1] for flag in service["command"] if "=/models/" in flag]
    assert len(named) == 3 and all((MODELS / name).is_file() for name in named)
    assert all(published.startswith("127.0.0.1:") for published in service["ports"])
    assert "--enable_grpc_healthcheck_service=true" in service["command"]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_its_card_and_is_small(name):
    card = (MODELS / name / "README.md").read_text()
    for heading in ("Trained on", "Recipe", "Scores", "License of the data", "Not for"):
        assert f"**{heading}**" in card
    files = [file for each in NAMES for file in (MODELS / each).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 5e6, "all models together"
