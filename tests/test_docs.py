"""The documentation: what it prints as commands and code is right."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bms_tf.core import config, gin_text, training  # noqa: F401, which registers `train`
from tests.commands import run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
PAGES["CONTRIBUTING.md"] = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SHORT = {"generator_updates": 20, "log_every": 10, "checkpoint_every": 10, "evaluate_every": 10, "samples": 50}
QUICKLY = [f"--gin_param=train.{name} = {value}" for name, value in {**SHORT, "steps_per_execution": 1}.items()]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, those with a title left out."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", PAGES[page], re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def titled(page: str) -> dict[str, str]:
    """The files that a page shows, by name."""
    return dict(re.findall(r'^```\w+ title="([^"\n]+)"\n(.*?)^```$', PAGES[page], re.DOTALL | re.MULTILINE))


def commands(page: str) -> list[list[str]]:
    """The words of each command of a page that is one of ours."""
    lines = "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if "python -m bms_tf." in line and not line.startswith("TUNE=")]
    return [words[words.index("python") :] for words in found]


COMMANDS = [pytest.param(words, id=" ".join(words[2:])) for page in PAGES for words in commands(page)]
EXTEND = sorted(page for page in PAGES if page.startswith("extend/"))


@pytest.mark.parametrize("page", PAGES)
def test_the_shell_can_read_every_command(page):
    for block in blocks(page, "bash"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.fixture(scope="module")
def flags():
    """`flags(module)`: the names of a command's flags, from its help."""
    known = {}

    def of(module):
        if module not in known:
            ended = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=ROOT)
            assert ended.returncode == 0, ended.stderr
            known[module] = set(re.findall(r"^  --(?:\[no\])?(\w+)", ended.stdout, re.MULTILINE))
        return known[module]

    return of


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_has_flags_that_there_are_and_settings_that_can_be_read(words, flags):
    given = [word.removeprefix("--").split("=", 1) for word in words[3:] if word.startswith("--")]
    if words[2] != "bms_tf.report":  # which takes folders
        assert all(word.startswith("--") for word in words[3:])
    assert {name for name, *_ in given} <= flags(words[2])
    files, params, modules = (
        [value for name, *rest in given if name == flag for value in rest]
        for flag in ("gin_file", "gin_param", "allow_import")
    )
    if files and not modules and not any(file.startswith("runs/") or "lsgan" in file for file in files):
        config.load(files, params)


def test_make_has_every_target_that_is_named():
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    named = {name for text in PAGES.values() for name in re.findall(r"(?:`|^)make (\w+)", text, re.MULTILINE)}
    assert named and named <= set(targets)


def test_the_sweep_can_be_searched(tmp_path):
    from bms_tf.tuning.search import Setting

    for name, text in titled("sweeps.md").items():
        (tmp_path / name).write_text(text)
    search = Setting(str(tmp_path / "search"), ["gin/ring.gin", str(tmp_path / "sweep.gin")], [], ()).search
    rate = search.space["adam.learning_rate"]
    assert (rate.low, rate.high, rate.log, search.oracle.hours) == (1e-4, 1e-2, True, 6)


def test_the_study_can_be_read(tmp_path):
    from bms_tf.studies import plan
    from bms_tf.studies.study import load

    (tmp_path / "mine.gin").write_text(titled("studies.md")["mine.gin"])
    study = load(str(tmp_path / "mine.gin"))
    assert len(plan.plan(study, {})) == 2 * 9
    for method in study.methods:
        assert gin_text.values(study.recipe("ring", method))["train.generator_updates"] == 10000


def test_every_message_that_is_explained_is_one_of_the_program():
    sources = [*ROOT.glob("bms_tf/**/*.py"), *ROOT.glob("pipelines/*.py"), ROOT / "tools/find_python.sh"]
    said = "".join(path.read_text(encoding="utf-8") for path in sources).replace("`", "")
    messages = re.findall(r"^### (?:`` (.+) ``|`([^`]+)`)$", PAGES["troubleshooting.md"], re.MULTILINE)
    assert len(messages) > 25
    for message in map("".join, messages):
        for part in message.replace("`", "").split("…"):
            assert part.strip() in said, message


# Walking through the pages.


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """`walked(page)`: the folder in which the page's files were written and its one command was run, shortened."""
    folders = {}

    def walk(page):
        if page not in folders:
            folder = folders[page] = tmp_path_factory.mktemp("walk")
            for name, text in titled(page).items():
                (folder / name).write_text(text)
            (words,) = commands(page)
            ended = run(*words[2:], *QUICKLY, cwd=folder)
            assert ended.returncode == 0, ended.stderr
        return next((folders[page] / "runs").iterdir())

    return walk


def last_line(folder: Path) -> dict:
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])


@pytest.mark.slow
def test_the_system_of_ones_own(walked, tmp_path):
    line = last_line(walked("extend/system.md"))
    assert {"discriminator/real", "discriminator/sample", "generator/sample"} <= line.keys()
    (tmp_path / "lsgan.py").write_text(titled("extend/system.md")["lsgan.py"])
    (tmp_path / "lsgan.gin").write_text(titled("extend/system.md")["lsgan.gin"])
    refused = run("bms_tf.train", "--gin_file=gin/ring.gin", "--gin_file=lsgan.gin", cwd=tmp_path)
    assert refused.returncode == 1 and "lsgan.gin:3: import of 'lsgan' is refused" in refused.stderr


@pytest.mark.slow
def test_the_data_set_of_ones_own(walked):
    folder = walked("extend/data_set.md")
    assert last_line(folder)["step"] == 20
    assert (folder / "pictures/density_0000020.png").exists()


@pytest.mark.slow
def test_the_metric_of_ones_own(walked):
    scores = json.loads((walked("extend/metric.md") / "scores.json").read_text())
    for column in ("samples", "data"):
        assert 0 < scores[column]["reach_mean"] < scores[column]["reach_99"]
    assert scores["data"]["reach_mean"] < scores["samples"]["reach_mean"], "a model that has hardly learned anything"


def test_the_values_of_that_metric_that_the_page_names():
    names = {}
    exec(titled("extend/metric.md")["reach.py"], names)
    data = np.random.default_rng(0).normal(size=(500, 2))
    assert names["reach"](data, data, seed=0) == {"reach_mean": 0.0, "reach_99": 0.0}
    lengths = np.linalg.norm(data, axis=1)
    assert names["reach"](np.zeros([1, 2]), data, seed=0)["reach_mean"] == pytest.approx(lengths.mean())


@pytest.mark.slow
def test_the_modifier_of_ones_own(walked):
    line = last_line(walked("extend/modifier.md"))
    assert line["discriminator/decay"] > 0 and line["generator/decay"] > 0


@pytest.mark.slow
def test_the_python_of_the_documentation_runs(tmp_path, monkeypatch):
    """Page by page, in one program each, with fewer steps."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "savedmodels/digits", tmp_path / "savedmodels/digits")
    code = "".join(blocks("python.md", "python"))
    long = "steps_per_epoch=500, epochs=4", '"updates = 5000"'
    assert all(text in code for text in long)
    quick = code.replace(long[0], "steps_per_epoch=10, epochs=1")
    quick = quick.replace(long[1], ", ".join(repr(param.removeprefix("--gin_param=")) for param in QUICKLY))
    names = {}
    exec(compile(quick, "python.md", "exec"), names)
    assert names["pictures"].shape == (16, 32, 32, 1) and names["between"].shape == (8, 32, 32, 1)
    assert names["points"].shape == (1000, 2) and np.isfinite(names["points"]).all()
    assert (tmp_path / "digits.png").exists() and (tmp_path / "savedmodels/my_ring_by_hand/1/saved_model.pb").exists()
    shutil.copytree(tmp_path / "runs/from_python", tmp_path / "runs/ring")
    exec(compile("".join(blocks("index.md", "python")), "index.md", "exec"), names)
    assert names["points"].shape == (1000, 2)


@pytest.mark.slow
def test_the_evaluation_of_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(ROOT / "savedmodels/ring", tmp_path / "savedmodels/ring")
    names = {}
    exec(compile("".join(blocks("evaluation.md", "python")), "evaluation.md", "exec"), names)
    assert np.isfinite(names["rows"][0]["value"]) and np.isfinite(names["rows"][0]["floor"])
    assert (tmp_path / "energy.jsonl").exists()


def test_the_client_of_the_documentation_uses_what_there_is():
    client = pytest.importorskip("bms_tf.client")
    (code,) = blocks("serving.md", "python")
    compile(code, "serving.md", "exec")
    imported = re.search(r"^from bms_tf\.client import (.+)$", code, re.MULTILINE)[1].split(", ")
    assert all(hasattr(client, name) for name in [*imported, "Rest", "ServerError"])


def start(*arguments, cwd):
    environment = os.environ | {"PYTHONPATH": f"{cwd}{os.pathsep}{ROOT}"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_the_first_change_of_a_contributor(tmp_path):
    """As CONTRIBUTING.md says, in a copy of the clone: the system of the page becomes a part of the library."""
    leave = shutil.ignore_patterns(".git", ".venv*", "runs", "site", "__pycache__", ".*_cache", "savedmodels")
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=leave)
    files = titled("extend/system.md")
    (clone / "bms_tf/systems/lsgan.py").write_text(files["lsgan.py"])
    gin_file = files["lsgan.gin"].replace("import lsgan", "import bms_tf.systems.lsgan")
    (clone / "gin/systems/lsgan.gin").write_text(gin_file)
    init = clone / "bms_tf/systems/__init__.py"
    after = "    from bms_tf.systems.md_gan import MDGAN\n"
    text = init.read_text().replace(after, "    from bms_tf.systems.lsgan import LSGAN\n" + after)
    init.write_text(text.replace('    "MDGAN",\n', '    "LSGAN",\n    "MDGAN",\n'))
    recipe = ("--gin_file=gin/ring.gin", "--gin_file=gin/systems/lsgan.gin")
    trained = start("-m", "bms_tf.train", *recipe, "--dry_run", cwd=clone)
    assert trained.returncode == 0 and "generator/sample" in trained.stdout, trained.stderr
    tests = ("tests/conformance", "tests/test_public_api.py", "tests/test_docstrings.py")
    chosen = ("-k", "lsgan or LSGAN or every_system")
    checked = start("-m", "pytest", "-q", "-p", "no:xdist", *chosen, *tests, cwd=clone)
    assert checked.returncode == 0 and " passed" in checked.stdout, checked.stdout


def test_the_wheel_that_is_named_is_of_this_version():
    import bms_tf

    assert set(re.findall(r"bms_tf-([\d.]+)-py3", "".join(PAGES.values()))) == {bms_tf.__version__}


def test_every_column_of_a_run_on_points_is_explained():
    # The columns are those of the shipped model's scores; `x_median` stands beside `x_min` as `_median`.
    scores = json.loads((ROOT / "savedmodels/ring/1/assets.extra/scores.json").read_text())["samples"]
    names = [*scores, "same_mode_percent", "missed_mode_percent", "posterior_kl"]
    first = [name for name in names if not name.endswith(("_median", "_max"))]
    said = re.findall(r"^\| `(\w+)`.*? \| \w", PAGES["evaluation.md"], re.MULTILINE)
    assert sorted(said) == sorted(set(first))
