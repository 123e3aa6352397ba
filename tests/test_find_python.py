"""A Python counts only if it runs and can make a virtual environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools/find_python.sh"
SHIM = 'echo "pyenv: python3.11: command not found" >&2; exit 127'  # what answers `command -v` and does not run
NO_VENV = 'case "$2" in *ensurepip*) exit 1 ;; esac'  # Debian's python3 without python3-venv


def real(version):
    """A stand-in for another version: it runs this Python, which says that it is `version`, from its own path."""
    return f'exec "{sys.executable}" -c "import sys; sys.version_info = {version}; sys.executable = \'$0\'; $2"'


@pytest.fixture
def find(tmp_path):
    def run(*arguments, **folders):
        """`folders` are the folders of PATH, in order: name -> {program: its shell script}."""
        for folder, programs in folders.items():
            for program, script in programs.items():
                path = tmp_path / folder / program
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"#!/bin/sh\n{script}\n")
                path.chmod(0o755)
        search = os.pathsep.join(str(tmp_path / f) for f in folders if not f.startswith("."))
        ended = subprocess.run(
            ["/bin/sh", str(SCRIPT), *arguments],
            capture_output=True,
            text=True,
            env={"PATH": search or str(tmp_path), "HOME": str(tmp_path)},
        )
        return ended.returncode, ended.stdout.replace(f"{tmp_path}/", "").strip(), ended.stderr

    return run


def test_a_shim_that_does_not_run_is_passed_over(find):
    assert find(a={"python3.11": SHIM}, b={"python3.11": real((3, 11))})[:2] == (0, "b/python3.11")


def test_a_python_without_venv_is_passed_over(find):
    assert find(a={"python3.11": NO_VENV, "python3.12": real((3, 12))})[:2] == (0, "a/python3.12")


def test_the_order_of_preference(find):
    found = find(a={f"python3.{minor}": real((3, minor)) for minor in (13, 12, 11)})
    assert found[:2] == (0, "a/python3.11")
    assert find(b={f"python3.{minor}": real((3, minor)) for minor in (13, 12)})[1] == "b/python3.12"
    assert find(c={"python3": real((3, 12))})[1] == "c/python3"


def test_versions_that_do_not_fit_are_passed_over(find):
    assert find(a={"python3": real((3, 10))}, b={"python3": real((3, 14))})[0] == 1


def test_a_named_python_is_found_behind_its_shim_among_the_installed_versions(find):
    versions = {".pyenv/versions/3.12.1/bin": {"python3.12": real((3, 12))}}
    found = find("python3.12", a={"python3.12": SHIM, "python3.11": real((3, 11))}, **versions)
    assert found[:2] == (0, ".pyenv/versions/3.12.1/bin/python3.12")


def test_a_path_is_taken_or_refused_and_nothing_else_is_tried(find):
    assert find(sys.executable)[:2] == (0, sys.executable)
    code, out, error = find("/nowhere/python3.11", a={"python3.11": real((3, 11))})
    assert (code, out) == (1, "") and "PYTHON=/nowhere/python3.11" in error


def test_with_no_fitting_python_one_line_says_what_to_install(find):
    code, out, error = find(a={"python3.11": SHIM})
    assert (code, out) == (1, "")
    assert len(error.splitlines()) == 1
    assert error.startswith("No fitting Python found. Install Python 3.11 with venv")
