"""The files that TensorFlow Serving reads, by its own protos; and the models they name."""

import re
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format

MODELS = Path(__file__).parents[2] / "savedmodels"
NAMES = sorted(path.name for path in MODELS.iterdir() if path.is_dir())


def test_every_model_is_listed_with_labels_of_versions_that_are_there():
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text = (MODELS / "models.config").read_text()
    configs = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    assert sorted(config.name for config in configs) == NAMES
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


def test_compose_mounts_what_it_names():
    service = yaml.safe_load((MODELS / "compose.yaml").read_text())["services"]["serving"]
    assert service["volumes"] == [".:/models:ro"]
    named = [flag.split("=/models/")[1] for flag in service["command"] if "=/models/" in flag]
    assert len(named) == 3 and all((MODELS / name).is_file() for name in named)
    assert all(published.startswith("127.0.0.1:") for published in service["ports"])


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_its_card_and_is_small(name):
    card = (MODELS / name / "README.md").read_text()
    for heading in ("Trained on", "Recipe", "Scores", "License of the data", "Not for"):
        assert f"**{heading}**" in card
    assert sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file()) < 5e6, "all models together"
