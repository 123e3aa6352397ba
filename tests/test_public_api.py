"""The short names: each is what its module defines, in whatever order things are imported, and none is left out."""

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import bms_tf
import bms_tf.systems
from bms_tf.core import config

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "bms_tf",
    *(f"bms_tf.{p}" for p in ("metrics", "modifiers", "networks", "objectives", "pipelines", "systems")),
)
NAMES = [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__]
FOLDERS = {"metrics": "bms_tf", "modifiers": "bms_tf", "networks": "bms_tf", "systems": "bms_tf", "pipelines": ""}
# Configurables that only gin can use: a role takes its shapes from gin, `prepared` is a part of other pipelines.
FOR_GIN = ("bms_tf/networks/roles.py", "pipelines/prepared.py")


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout


def configurables(file: Path):
    """The functions and classes of a file that gin can name."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            if any(ast.unparse(d).startswith("gin.configurable") for d in node.decorator_list):
                yield node.name


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("tensorflow", "keras", "tf_keras", "numpy", "gin", "matplotlib", "absl")
    assert python(f"import sys, bms_tf; print([name for name in {heavy} if name in sys.modules])") == "[]\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_list_is_the_block_that_type_checkers_read(package):
    module = importlib.import_module(package)
    public = [name for name in dir(module) if not name.startswith("__")]
    assert sorted(module.__all__) == sorted(module._homes) == public
    assert module.__all__ == sorted(module.__all__), "in order, so that one finds a name"


def test_a_listing_of_the_package_has_its_version():
    assert {"__version__", "__doc__", "train"} <= set(dir(importlib.import_module("bms_tf")))


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_name_is_what_its_module_defines(package, name):
    module = importlib.import_module(package)
    home = module._homes[name]
    if not importlib.util.find_spec(home):
        pytest.skip(f"there is no {home} yet")
    if home == package:
        assert getattr(module, name) is importlib.import_module(f"{package}.{name}")
    else:
        assert getattr(module, name) is vars(importlib.import_module(home))[name]
        is_module = isinstance(getattr(module, name), type(sys))
        assert is_module == (name == "keras"), "a function or class, not the module that has its name"


def test_a_module_that_has_the_name_of_a_function_does_not_take_its_place():
    said = python(
        "import bms_tf.train, bms_tf.networks.mlp, bms_tf.modifiers.gradient_penalty\n"
        "from bms_tf.train import main\n"
        "names = bms_tf.train, bms_tf.networks.mlp, bms_tf.modifiers.gradient_penalty\n"
        "print(main.__module__, *(name.__module__ for name in names))"
    )
    assert said.split() == [
        "bms_tf.train",
        "bms_tf.library",
        "bms_tf.networks.mlp",
        "bms_tf.modifiers.gradient_penalty",
    ]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bms_tf.systems' has no attribute 'BMSGAN'"):
        bms_tf.systems.BMSGAN  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'BMSGAN'"):
        exec("from bms_tf.systems import BMSGAN")


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_gin_can_name_has_a_short_name_in_python(folder):
    files = sorted((ROOT / FOLDERS[folder] / folder).glob("*.py"))
    named = {name for f in files if f.relative_to(ROOT).as_posix() not in FOR_GIN for name in configurables(f)}
    assert named and named <= set(importlib.import_module(f"bms_tf.{folder}").__all__)


def test_every_objective_that_gin_can_name_has_a_short_name_in_python():
    ours = [known for known in config.registered() if known.startswith("bms_tf.objectives.")]
    assert ours and {known.split(".")[-1] for known in ours} == set(bms_tf.objectives.__all__)


def test_type_checkers_are_told_that_the_packages_have_types():
    assert all((ROOT / package / "py.typed").exists() for package in ("bms_tf", "pipelines"))
