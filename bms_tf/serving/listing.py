"""`models.config`: which versions of which models TensorFlow Serving loads, and their labels."""

import os
import re
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from bms_tf.core import files

HEADER = """\
# The models that TensorFlow Serving loads, and which version each label means; it is read again every 30 seconds.
# A version is loaded where it has a label. To try a new one, to promote it, and to roll back:
#   python -m bms_tf.label --name=ring --version=2 --label=canary
#   python -m bms_tf.label --name=ring --version=2 --label=stable
#   python -m bms_tf.label --name=ring --version=1 --label=stable
# Clients that name a label need no change.
"""


def put(model_dir: str, name: str, version: int, label: str) -> str:
    """Gives `version` of the model `name` the `label` in `<model_dir>/models.config`. Returns what is then loaded.

    A model that is not listed is added. Versions without a label are no longer loaded. Raises ValueError for a bad name
    or label, where there is no such version, and where the file cannot be read as a list of models.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not re.fullmatch(r"[A-Za-z0-9_-]+", label):
        raise ValueError(f"the name is {name!r} and the label {label!r}; they may hold only letters, digits, _ and -")
    if not os.path.isfile(os.path.join(model_dir, name, str(version), "saved_model.pb")):
        raise ValueError(f"{os.path.join(model_dir, name)} has no version {version}")
    path = Path(model_dir) / "models.config"
    listing = model_server_config_pb2.ModelServerConfig()  # pyright: ignore[reportAttributeAccessIssue], made at run time
    try:
        text_format.Parse(path.read_text() if path.exists() else "", listing)
    except text_format.ParseError as error:
        raise ValueError(f"{path} is no list of models: {error}") from error
    models = listing.model_config_list.config
    model = next((model for model in models if model.name == name), None)
    if model is None:
        # The place at which compose.yaml shows this folder to the server.
        model = models.add(name=name, base_path=f"/models/{name}", model_platform="tensorflow")
    model.version_labels[label] = version
    del model.model_version_policy.specific.versions[:]
    model.model_version_policy.specific.versions.extend(sorted(set(model.version_labels.values())))
    models.sort(key=lambda model: model.name)
    files.write_whole(str(path), HEADER + text_format.MessageToString(listing))
    meanings = (f"{label} = {version}" for label, version in sorted(model.version_labels.items()))
    return f"{path}: {name}, {', '.join(meanings)}"
