"""The wheel works without the clone: the recipes are inside it and found from any directory."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "bms_tf", "pipelines", "gin")


def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that neither the clone gets a build folder nor an old one gets into the wheel."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    python("-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", copy / "out", copy)
    return next((copy / "out").glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_every_recipe_and_nothing_else(wheel):
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    expected = {p.relative_to(ROOT).as_posix() for f in ("bms_tf", "pipelines") for p in (ROOT / f).rglob("*.py")}
    expected |= {"bms_tf/recipes/" + p.relative_to(ROOT / "gin").as_posix() for p in (ROOT / "gin").rglob("*.gin")}
    assert names == expected


@pytest.mark.slow
def test_an_installed_package_finds_its_recipes_from_another_directory(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    python("-m", "pip", "install", "--no-index", "--no-deps", "--target", site, wheel)
    environment = os.environ | {"PYTHONPATH": str(site)}
    assert python("-c", "import bms_tf; print(bms_tf.__file__)", cwd=elsewhere, env=environment).startswith(str(site))
    said = python("-m", "bms_tf.train", "--gin_file=gin/ring.gin", "--dry_run", cwd=elsewhere, env=environment)
    assert "one step:" in said
    assert list(elsewhere.iterdir()) == [], "a dry run writes nothing"
    assert "gin/systems/bms_vae_gan.gin " in python("-m", "bms_tf.train", "--list", cwd=elsewhere, env=environment)
