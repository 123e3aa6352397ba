"""The source distribution and the wheel work without the clone, and without the network."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# What is of no use without the clone, and what git does not track.
LEFT_OUT = (
    ".git",
    ".gitignore",
    ".ci",
    ".venv*",
    ".*_cache",
    ".hypothesis",
    "runs",
    "build",
    "dist",
    "site",
    "*.egg-info",
    "__pycache__",
)
COMMANDS = ("client", "evaluate", "export", "label", "reproduce", "report", "serve", "train", "tune")
QUICK = ("tests/test_imports.py", "tests/core/test_gin_text.py", "tests/serving/test_configs.py")  # need the whole tree


def run(*arguments, **options):
    ended = subprocess.run(arguments, capture_output=True, text=True, **options)
    assert ended.returncode == 0, f"{arguments} said\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def python(*arguments, **options):
    return run(sys.executable, *arguments, **options)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy, so that neither the clone gets a build folder nor an old one gets into a distribution."""
    copy = tmp_path_factory.mktemp("source") / "bms_tf"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return copy


@pytest.fixture(scope="module")
def unpacked(source, tmp_path_factory):
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    build = f"from setuptools.build_meta import build_sdist; print(build_sdist({str(folder)!r}))"
    name = python("-c", build, cwd=source).splitlines()[-1]
    with tarfile.open(folder / name) as archive:
        archive.extractall(folder, filter="data")
    return folder / name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked, tmp_path_factory):
    """Built from the source distribution."""
    out = tmp_path_factory.mktemp("wheel")
    python("-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", out, unpacked)
    return next(out.glob("*.whl"))


def needed(package, extras=(), found=None):
    """The packages of this environment that one of them requires, with what they require themselves."""
    found = {} if found is None else found
    for requirement in map(Requirement, package.requires or ()):
        key, marker = (requirement.name, *sorted(requirement.extras)), requirement.marker
        if key not in found and (marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras))):
            found[key] = metadata.distribution(requirement.name)
            needed(found[key], requirement.extras, found)
    return found.values()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The scripts' folder of a new environment that has what pip would bring along from an index, by links."""
    folder = tmp_path_factory.mktemp("environment")
    python("-m", "venv", "--without-pip", folder)
    site = next(folder.glob("lib/python*/site-packages"))
    (package,) = metadata.distributions(path=[str(wheel)])
    for other in needed(package):
        for top in {file.parts[0] for file in other.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(other.locate_file(top))
    # pip takes every requirement as the wheel declares it, and fails where the linked packages do not fulfil it.
    alone = os.environ | {"PIP_CONFIG_FILE": os.devnull}
    python("-m", "pip", "--python", folder / "bin/python", "install", "--no-index", wheel, env=alone)
    return folder / "bin"


@pytest.mark.slow
def test_the_source_distribution_holds_everything_but_what_needs_the_clone(source, unpacked):
    made = {"PKG-INFO", "setup.cfg"}
    assert {name for name in files(unpacked) if ".egg-info/" not in name} - made == {
        name for name in files(source) if ".egg-info/" not in name
    }


@pytest.mark.slow
def test_the_tests_run_in_the_source_distribution(unpacked):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    said = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *QUICK, cwd=unpacked, env=environment)
    assert " passed" in said and "failed" not in said


@pytest.mark.slow
def test_the_wheel_holds_the_package_every_recipe_and_the_tested_versions_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {p.relative_to(ROOT).as_posix() for f in ("bms_tf", "pipelines") for p in (ROOT / f).rglob("*.py")}
    expected |= {"bms_tf/py.typed", "pipelines/py.typed"}
    expected |= {p.relative_to(ROOT).as_posix() for p in (ROOT / "bms_tf").glob("*/templates/*")}
    expected |= {"bms_tf/recipes/" + p.relative_to(ROOT / "gin").as_posix() for p in (ROOT / "gin").rglob("*.gin")}
    expected |= {p.relative_to(ROOT).as_posix() for p in (ROOT / "bms_tf").glob("*/templates/*")}
    (constraints,) = names - expected
    assert expected <= names and constraints.endswith(".data/data/share/bms_tf/constraints.txt")


@pytest.mark.slow
def test_an_installed_package_finds_its_recipes_from_another_directory(installed, tmp_path):
    where = run(installed / "python", "-c", "import bms_tf; print(bms_tf.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed.parent))
    said = run(installed / "bms-train", "--gin_file=gin/ring.gin", "--dry_run", cwd=tmp_path)
    assert "one step:" in said
    assert list(tmp_path.iterdir()) == [], "a dry run writes nothing"
    assert "gin/systems/bms_vae_gan.gin " in run(installed / "bms-train", "--list", cwd=tmp_path)


@pytest.mark.slow
def test_a_command_whose_extra_is_not_installed_says_so(installed, tmp_path):
    command = [installed / "bms-client", "--model=ring", "--server=localhost:1"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    line = r'error: \w+ is missing: in the clone, pip install -c constraints\.txt -e "\.\[serving\]"\n'
    assert ended.returncode == 1 and re.fullmatch(line, ended.stderr), ended.stderr


@pytest.mark.slow
def test_the_tested_versions_are_where_the_documentation_says(installed):
    travelled = installed.parent / "share/bms_tf/constraints.txt"
    assert travelled.read_text() == (ROOT / "constraints.txt").read_text()


@pytest.mark.slow
def test_each_command_has_a_script_that_is_the_command(installed, tmp_path):
    assert {path.name for path in installed.glob("bms-*")} == {f"bms-{name}" for name in COMMANDS}
    for name in COMMANDS:
        if (ROOT / "bms_tf" / f"{name}.py").exists():
            said = run(installed / f"bms-{name}", "--help", cwd=tmp_path)
            assert said == run(installed / "python", "-m", f"bms_tf.{name}", "--help", cwd=tmp_path)
            assert f"python -m bms_tf.{name}" in said
