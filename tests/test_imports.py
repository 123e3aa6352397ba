"""Who may import whom (the design's rule), read from the source without running it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [p.relative_to(ROOT).as_posix() for folder in ("bms_tf", "pipelines") for p in ROOT.glob(f"{folder}/**/*.py")]
# folder -> what it may import of ours, besides itself. The files directly under bms_tf/ are entry points: everything.
OURS = {
    "bms_tf/objectives": (),
    "bms_tf/networks": ("bms_tf.core.keras",),
    "bms_tf/core": (),
    "bms_tf/systems": ("bms_tf.core", "bms_tf.objectives"),
    "bms_tf/modifiers": ("bms_tf.core", "bms_tf.objectives"),
    "bms_tf/metrics": ("bms_tf.core.examples", "bms_tf.core.keras", "bms_tf.core.model"),  # what a model offers
    "bms_tf/evaluation": ("bms_tf.core", "bms_tf.metrics"),
    "bms_tf/tuning": ("bms_tf.core",),
    "bms_tf/studies": ("bms_tf.core", "bms_tf.tuning"),
    "bms_tf/reporting": ("bms_tf.core", "bms_tf.evaluation.tables", "bms_tf.studies"),
    "bms_tf/serving": ("bms_tf.core", "bms_tf.pictures"),
    "bms_tf/loading": ("bms_tf.core",),
    "bms_tf/trackers": ("bms_tf.core",),
    "pipelines": (),
}
# What shows the public names of a package, which any of them may use; and the one place in bms_tf that names pipelines.
LAZY, FACADE = "bms_tf.core.lazy", "bms_tf/pipelines.py"
# Modules that only some files may import: each of the last two in one place, because only the first stack has them.
THEIRS = {
    "keras": ["bms_tf/core/keras.py"],
    "tf_keras": ["bms_tf/core/keras.py"],
    "tensorflow_addons": ["bms_tf/networks/layers.py"],
    "tensorflow_gan": ["bms_tf/metrics/tfgan.py"],
}


def names(tree):
    """Every dotted name that a module imports, wherever in it; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, package):
    return f"{name}.".startswith(f"{package}.")


def violations(path, source):
    tree = ast.parse(source)
    found = set(names(tree))
    folder = next((f for f in OURS if path.startswith(f + "/")), None)
    packages, is_package = ("bms_tf", "pipelines"), path.endswith("/__init__.py")
    allowed = packages[: 2 if path == FACADE else 1] if folder is None else (folder.replace("/", "."), *OURS[folder])
    for name in found:
        ours = any(within(name, package) for package in packages)
        folders = ("bms_tf/core", "bms_tf/evaluation", "bms_tf/reporting", "bms_tf/studies")
        version = name == "bms_tf" and folder in folders
        free = version or (name == LAZY and is_package)
        if ours and not free and not any(within(name, package) for package in allowed):
            yield f"{path} imports {name}"
        if folder == "bms_tf/systems" and within(name, "bms_tf.systems") and not is_package:
            yield f"{path} imports {name}, another paper"
        if folder == "bms_tf/objectives" and name.split(".")[0] in ("gin", "keras", "numpy"):
            yield f"{path} imports {name}; objectives are functions of tensors"
        if name.split(".")[0] in THEIRS and path not in THEIRS[name.split(".")[0]]:
            yield f"{path} imports {name}"
        if within(name, "tensorflow.keras") and path != "bms_tf/core/keras.py":
            yield f"{path} imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "keras" and path != "bms_tf/core/keras.py":
            if isinstance(node.value, ast.Name) and node.value.id in ("tf", "tensorflow"):
                yield f"{path}:{node.lineno} uses tf.keras"


@pytest.mark.parametrize("path", FILES)
def test_imports(path):
    assert list(violations(path, (ROOT / path).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bms_tf/objectives/x.py", "import gin"),
        ("bms_tf/objectives/x.py", "from bms_tf.core import random"),
        ("bms_tf/networks/x.py", "from bms_tf.core.system import System"),
        ("bms_tf/core/x.py", "def f():\n  from bms_tf.systems import bms_vae_gan"),
        ("bms_tf/systems/x.py", "from bms_tf.networks.mlp import mlp"),
        ("bms_tf/systems/x.py", "from bms_tf.systems.bms_vae_gan import BMSVAEGAN"),
        ("bms_tf/metrics/x.py", "import bms_tf.core.config"),
        ("pipelines/x.py", "import bms_tf"),
        ("bms_tf/train.py", "import pipelines.ring"),
        ("bms_tf/metrics/x.py", "from bms_tf.core import lazy"),
        ("bms_tf/loading/x.py", "from bms_tf.systems.gan import GAN"),
        ("bms_tf/trackers/x.py", "import bms_tf.networks"),
        ("bms_tf/systems/x.py", "import tensorflow as tf\ntf.keras.layers"),
        ("bms_tf/systems/x.py", "from tensorflow import keras"),
        ("bms_tf/core/x.py", "import tf_keras"),
    ],
)
def test_a_violation_is_seen(path, source):
    assert list(violations(path, source))


def test_no_python_in_the_recipes():
    assert list((ROOT / "gin").rglob("*.gin"))
    assert list((ROOT / "gin").rglob("*.py*")) == [], "it would shadow gin-config"
