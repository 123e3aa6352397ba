"""What stands around the code says the same as the code: versions, files, targets, extras."""

import ast
import os
import re
import runpy
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import setuptools
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bms_tf

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
SETUP = (ROOT / "setup.py").read_text()
TARGETS = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split()
EXTRAS = re.findall(r'^        "(\w+)":', SETUP, re.MULTILINE)


def minors():
    """The minor versions of Python 3 that setup.py allows."""
    low, high = map(int, re.search(r'python_requires=">=3\.(\d+),<3\.(\d+)"', SETUP).groups())
    return range(low, high)


def test_the_python_versions_agree():
    assert [f"3.{minor}" for minor in minors()] == re.findall(r'"Programming Language :: Python :: (3\.\d+)"', SETUP)
    finder = (ROOT / "tools/find_python.sh").read_text()
    assert f"if not (3, {minors()[0]}) <= sys.version_info < (3, {minors()[-1] + 1})" in finder
    assert sorted(map(int, re.findall(r":python3\.(\d+)", finder.replace("-python", ":python")))) == list(minors())
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert settings["ruff"]["target-version"] == f"py3{minors()[0]}"
    assert settings["basedpyright"]["pythonVersion"] == f"3.{minors()[0]}"


def test_the_constraints_name_no_python_that_is_not_supported():
    marked = re.findall(r'python_version [<>=]+ "3\.(\d+)"', (ROOT / "constraints.txt").read_text())
    assert marked and set(map(int, marked)) <= set(minors())


def requirements():
    """Every requirement of setup.py, of the base and of all extras."""
    with pytest.MonkeyPatch.context() as patch:
        given = {}
        patch.setattr(setuptools, "setup", given.update)
        runpy.run_path(str(ROOT / "setup.py"))
    lists = [given["install_requires"], *given["extras_require"].values()]
    return {Requirement(text) for texts in lists for text in texts}


@pytest.mark.parametrize("minor", minors())
def test_each_requirement_is_pinned_to_a_version_that_it_allows(minor):
    python = {"python_version": f"3.{minor}"}
    lines = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[0] != "#"]
    pins = {canonicalize_name(pin.name): pin for pin in lines if pin.marker is None or pin.marker.evaluate(python)}
    asked = [r for r in requirements() if r.marker is None or r.marker.evaluate(python)]
    assert len(asked) > 20
    for requirement in asked:
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "==" and requirement.specifier.contains(pin.version), requirement


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == bms_tf.__version__ and citation["license"] == "Apache-2.0"
    assert {"cff-version", "message", "title", "authors"} <= citation.keys(), "what the format requires"
    versions = re.findall(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == (citation["version"], str(citation["date-released"])), "as the changelog has it"
    assert [version for version, _ in versions] == ["0.2.0", "0.1.0"], "each with its date"


def test_the_workflow_calls_the_targets_on_both_stacks():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert all(re.fullmatch(r"make (\w+) PYTHON=python\$\{\{ matrix\.python \}\}", command) for command in commands)
    assert {command.split()[1] for command in commands} == {"lint", "test", "docs"} <= set(TARGETS)
    versions = [int(version.split(".")[1]) for version in job["strategy"]["matrix"]["python"]]
    assert set(versions) <= set(minors()) and min(versions) < 12 <= max(versions)


def test_the_hooks_check_what_lint_checks():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local", "the tested version of ruff, not another one"
    lint = re.search(r"^lint: .*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    for hook in repo["hooks"]:
        tool = re.search(r"python -m (ruff \w+)", hook["entry"])[1]
        assert f"$(RUN) -m {tool}" in lint


def test_the_lines_of_the_dockerfile():
    lines = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text()).splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    kinds = [kind for kind, _ in steps]
    assert kinds[0] == "FROM" and kinds[-1] == "ENTRYPOINT" and set(kinds[1:-1]) == {"COPY", "RUN", "ENV", "WORKDIR"}
    assert int(re.fullmatch(r"python:3\.(\d+)-slim", steps[0][1])[1]) in minors()
    copied = {}
    for kind, rest in steps:
        if kind == "COPY":
            *sources, target = rest.split()
            copied |= {source: target for source in sources}
    assert all((ROOT / source).exists() for source in copied)
    for needed in (
        "setup.py",
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "bms_tf",
        "pipelines",
        "gin",
    ):
        target = copied[needed]
        assert target == (f"/source/{needed}" if (ROOT / needed).is_dir() else "/source/")
    (install,) = [rest for kind, rest in steps if kind == "RUN"]
    named = re.search(r"pip install .*--constraint /source/constraints.txt \"/source\[([\w,]+)\]\"", install)[1]
    assert "cuda" in named.split(",") and set(named.split(",")) <= set(EXTRAS)
    assert steps[-1][1] == '["bms-train"]' and 'f"bms-{command} = bms_tf.commands:main"' in SETUP


# The flags that docker is given, with how many words follow; `docker build --help` and `docker run --help` have them.
DOCKER = {"build": {"-t": 1}, "run": {"--rm": 0, "--gpus": 1, "--user": 1, "--volume": 1}}


def docker_commands(text):
    """The words of each line that begins with `docker build` or `docker run`, continued lines joined."""
    lines = re.sub(r"\\\n#? *", "", text).splitlines()
    return [shlex.split(line.lstrip("# ")) for line in lines if re.match(r"(?:# +)?docker (?:build|run) ", line)]


def test_the_container_is_made_and_run_by_flags_that_there_are():
    dockerfile = (ROOT / "Dockerfile").read_text()
    made, ran = docker_commands((ROOT / "docs/devices.md").read_text())
    assert docker_commands(dockerfile) == [made, ran]
    left = {}
    for _, command, *words in (made, ran):
        flags = {}
        while words[0].startswith("-"):
            flag, count = words[0], DOCKER[command][words[0]]
            flags[flag], words = words[1 : 1 + count], words[1 + count :]
        left[command] = flags, words
    (build, context), (run, (image, *arguments)) = left["build"], left["run"]
    assert context == ["."] and build["-t"] == [image]
    inside = re.search(r"^WORKDIR (.+)$", dockerfile, re.MULTILINE)[1]
    assert run["--volume"] == [f"$PWD/runs:{inside}/runs"], "where the run folder lies"
    defined = "".join((ROOT / "bms_tf" / file).read_text() for file in ("train.py", "core/recipe_flags.py"))
    for argument in arguments:  # of the entry point, bms-train
        name, _, value = argument.removeprefix("--").partition("=")
        assert f'("{name}", ' in defined
        assert value.startswith("runs/") or (ROOT / value).exists()


def test_a_failed_set_up_shows_what_pip_says(tmp_path):
    """pip alone in a virtual environment that is there, so that nothing is made or downloaded."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/python"
    fake.write_text('#!/bin/sh\necho "Collecting all"\necho "ERROR: no version of it fits" >&2\nexit 1\n')
    fake.chmod(0o755)
    ended = subprocess.run(
        ["make", "serve", f"VENV={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"MAKEFLAGS": ""},
    )
    assert ended.returncode != 0
    assert "Collecting all\nERROR: no version of it fits\n" in ended.stderr
    assert f"all of it: {tmp_path}/pip.log" in ended.stderr
    assert "bms_tf.serve" not in ended.stdout, "nothing is started without what it needs"


def test_progress_bars_stay_out_of_what_is_no_terminal():
    calls = [
        ast.unparse(node)
        for path in (ROOT / "bms_tf").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "tqdm"
    ]
    assert len(calls) >= 3
    assert [call for call in calls if "disable=None" not in call and "**looks" not in call] == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_has_its_line(target):
    assert re.search(rf"^{target}:.*\n\t", MAKEFILE, re.MULTILINE)


def test_every_mutation_is_of_the_code_as_it_is():
    for mutation in runpy.run_path(str(ROOT / "tools/mutate.py"))["MUTATIONS"]:
        assert mutation.old in (ROOT / mutation.file).read_text(), mutation
        assert (ROOT / "tests" / mutation.tests.split(" -k ")[0]).is_file(), mutation


def test_every_benchmark_that_is_named_is_there():
    named = {}
    for folder in ("gin", "benchmarks", "bms_tf", "docs", "tests"):
        for path in (p for ending in ("gin", "py", "md") for p in (ROOT / folder).rglob(f"*.{ending}")):
            for name in re.findall(r"benchmarks/[a-z0-9_]+\.(?:py|gin)", path.read_text(encoding="utf-8")):
                named.setdefault(name, path.relative_to(ROOT).as_posix())
    assert named and {name: by for name, by in named.items() if not (ROOT / name).exists()} == {}
