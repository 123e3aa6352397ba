"""The documentation: what it prints as commands and code is right, and it builds without the network."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import SimpleNamespace

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


def hook(name: str):
    """One of the hooks of mkdocs.yml, as a module."""
    spec = util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    block = "if TYPE_CHECKING:\n"
    text = init.read_text().replace(block, block + "    from bms_tf.systems.lsgan import LSGAN\n")
    init.write_text(text.replace('    "MDGAN",\n', '    "LSGAN",\n    "MDGAN",\n'))
    recipe = ("--gin_file=gin/ring.gin", "--gin_file=gin/systems/lsgan.gin")
    trained = start("-m", "bms_tf.train", *recipe, "--dry_run", cwd=clone)
    assert trained.returncode == 0 and "generator/sample" in trained.stdout, trained.stderr
    tests = ("tests/conformance", "tests/test_public_api.py", "tests/test_docstrings.py")
    chosen = ("-k", "lsgan or LSGAN or every_system")
    checked = start("-m", "pytest", "-q", "-p", "no:xdist", *chosen, *tests, cwd=clone)
    assert checked.returncode == 0 and " passed" in checked.stdout, checked.stdout


# The site.


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    ended = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],  # --quiet drops warnings
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | nowhere | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(site):
    pages = {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    loaded = r'<(?:script|img|iframe|link rel="(?:stylesheet|preconnect)")[^>]* (?:src|href)="(https?:[^"]+)"'
    assert {page: found for page, text in pages.items() if (found := re.findall(loaded, text))} == {}
    gallery = hook("docs_gallery")
    assert {system.page.replace(".md", ".html") for system in gallery.systems()} <= pages.keys()
    assert "<math" in pages["best_of_many.html"] and "arithmatex" not in pages["best_of_many.html"]
    for name in ("load", "train", "export"):
        assert f">{name}<" in pages["api/index.html"]
    for path in DOCS.glob("notebooks/*.ipynb"):
        text = pages[f"notebooks/{path.stem}.html"]
        drawn = re.findall(rf'src="({path.stem}_\d+\.png)"', text)
        assert drawn and all((site / "notebooks" / name).stat().st_size > 0 for name in drawn)
        assert f'href="{path.name}"' in text and (site / "notebooks" / path.name).exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index.html", "systems/gan.html"])
def test_a_page_on_the_disk_can_be_searched(site, page):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on the PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.goto((site / page).as_uri())
        opened.locator(".md-search__input").fill("precision")
        opened.locator("a.md-search-result__link").first.click()
        opened.wait_for_url("**/api/metrics.html*")
        browser.close()


def test_the_gallery_has_every_system_with_its_terms_and_its_gin_files():
    import bms_tf.systems

    found = hook("docs_gallery").systems()
    assert sorted(system.name for system in found) == sorted(bms_tf.systems.__all__)
    files = [file for system in found for file in system.files]
    assert sorted(files) == sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "gin/systems").glob("*.gin"))
    for system in found:
        assert system.papers and system.summary and all(system.files.values()), system.name
        heading, *rows = system.table
        assert heading[0] == "term" and heading[-1] == "source" and len(rows) >= 2
        assert {len(row) for row in rows} == {len(heading)}, system.name


def test_the_figure_of_a_step_has_the_terms_of_its_system():
    (system,) = [system for system in hook("docs_gallery").systems() if system.name == "BMSVAEGAN"]
    figure = (DOCS / "figures/step.svg").read_text(encoding="utf-8")
    shown = re.findall(r'font-family="monospace"[^>]*>([\w]+)<', figure)
    terms = [name.strip().split("/")[-1] for row in system.table[1:] for name in row[0].split(",")]
    assert sorted(shown) == sorted([*terms[:-1], "prior", "posterior"]) and terms[-1] == "*"  # of the cross-entropy
    assert float(re.search(r'width="(\d+)"', figure)[1]) <= 430, "so that a phone shows it nearly at its size"


def test_a_system_has_the_recorded_cost_of_its_step():
    gallery = hook("docs_gallery")
    known, found = gallery.costs(), {system.name: system for system in gallery.systems()}
    assert set(known) <= {Path(file).stem for system in found.values() for file in system.files}
    assert known["gan"][0] == "12" and float(known["gan"][1]) == 1
    page = gallery.page(found["WGANGP"])
    assert f"| `wgan_gp` | {' | '.join(known['wgan_gp'])} |" in page and known["wgan_gp"][0] == "70"
    (line,) = [line for line in gallery.index(list(found.values())).splitlines() if line.startswith("| [WGANGP]")]
    assert line.endswith(f"| {float(known['wgan_gp'][3]):.1f} |")
    of_two = sorted(float(known[name][3]) for name in ("ali", "bigan"))
    ends = dict.fromkeys(f"{time:.1f}" for time in of_two)  # which may be the same
    assert f"| `ali`, `bigan` | {' to '.join(ends)} |" in gallery.index(list(found.values()))


def test_a_system_has_the_pictures_of_its_runs_that_there_are(tmp_path):
    gallery = hook("docs_gallery")
    (system,) = [system for system in gallery.systems() if system.name == "WGANGP"]
    assert gallery._pictures(system, tmp_path) == []
    (tmp_path / gallery.PICTURES).mkdir(parents=True)
    (tmp_path / gallery.PICTURES / "wgan_gp_grid.png").touch()
    shown = "![Samples of wgan_gp on the grid](../figures/systems/wgan_gp_grid.png)"
    assert gallery._pictures(system, tmp_path) == ["## Runs", "", gallery.SHORT_RUNS, "", shown, ""]


def test_the_page_of_results_is_made_of_the_records():
    results = hook("docs_results")
    records = ROOT / results.RECORDS / "recipes.jsonl"
    text = "\n".join(results.section(records))
    assert "python -m bms_tf.reproduce --study=recipes\n" in text
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    for data in ("ring", "grid"):
        hq = [row["samples"]["hq_percent"] for row in rows if row["data"] == data and row["length"] == 1]
        table, _, whole = text.split(f"{data.capitalize()}:\n")[1].partition("??? note")
        assert "| method | modes | HQ % | mode KL | std ratio | energy distance | seeds |" in table
        for shown in (table, whole):
            assert f"| {np.mean(hq):.1f} ± {np.std(hq, ddof=1):.1f} " in shown
    assert rows[0]["ended"] in text


def test_every_study_that_is_recorded_has_a_line_of_a_method():
    results = hook("docs_results")
    for records in (ROOT / results.RECORDS).glob("*.jsonl"):
        method = json.loads(records.read_text().splitlines()[0])["method"]
        table, _, _ = "\n".join(results.section(records)).partition("??? note")
        assert re.search(rf"^\| {re.escape(method)}.* \d", table, re.MULTILINE), f"{records.name} has no {method}"


def test_a_method_says_for_what_it_was_tuned():
    results = hook("docs_results")
    table, _, _ = "\n".join(results.section(ROOT / results.RECORDS / "game.jsonl")).partition("??? note")
    assert "| method | modes |" in table and re.search(r"^\| R3GAN, tuned for [\w ]+ \|", table, re.MULTILINE)


def test_the_page_of_results_says_which_studies_have_none():
    results = hook("docs_results")
    page = results.page()
    recorded, studies = list((ROOT / results.RECORDS).glob("*.jsonl")), list((ROOT / "gin/studies").glob("*.gin"))
    assert f"{len(recorded)} of {len(studies)} studies have runs so far" in page
    listed = re.findall(r"^- `(\w+)`: ", page.split("## Studies without runs")[1], re.MULTILINE)
    assert sorted([*listed, *(path.stem for path in recorded)]) == sorted(path.stem for path in studies)


def test_a_notebook_becomes_a_page():
    drawn = {"output_type": "display_data", "data": {"image/png": "aGVsbG8=\n", "text/plain": ["<Figure>"]}}
    printed = {"output_type": "stream", "text": ["1\n", "2\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "see [b](b.ipynb)"]},
        {"cell_type": "code", "source": ["print(1)\n", "print(2)"], "outputs": [printed, drawn]},
    ]
    page, pictures = hook("docs_notebooks").page("a", {"cells": cells})
    assert page == (
        "# Title\nsee [b](b.md)\n\n"
        "[The notebook as a file](a.ipynb), and [how to run it](../index.md#run-a-notebook)\n\n"
        "```python\nprint(1)\nprint(2)\n```\n\n"
        "```text\n1\n2\n```\n\n![What the cell above draws](a_0.png)\n"
    )
    assert pictures == {"a_0.png": b"hello"}


def test_a_docstring_becomes_a_page():
    gallery = hook("docs_gallery")
    parts = gallery._parts(
        "Says what it is.\n\n| term | loss | source |\n| --- | --- | --- |\n"
        "| a/prior | KL[q(z|x) || p(z)] | eq. 3 |\n\nDeviation: none is known."
    )
    assert parts["table"] == [["term", "loss", "source"], ["a/prior", "KL[q(z|x) || p(z)]", "eq. 3"]]
    system = gallery.System(name="A", module="a", papers="A (2019).", files={}, **parts)
    page = gallery.page(system)
    assert '| a/prior | <span class="formula">KL[q(z&#124;x) ‖ p(z)]</span> | eq. 3 |' in page
    assert '!!! note "Deviations from the paper"\n\n    None is known.' in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-beta max_i log p(x|z_i)", "−β max<sub>i</sub> log p(x&#124;z<sub>i</sub>)"),
        ("lambda_ weighs", "lambda&#95; weighs"),
        ("x_hat, D_I and ||x||_1", "x\u0302, D<sub>I</sub> and ‖x‖₁"),
        ("`lambda_` and code_weight", "`lambda_` and code&#95;weight"),
        ("f(x)^2 - a * b < c", "f(x)<sup>2</sup> − a · b &lt; c"),
        ("best-of-many", "best-of-many"),
        ("__init__, mean_i s_i", "&#95;&#95;init&#95;&#95;, mean<sub>i</sub> s<sub>i</sub>"),
    ],
)
def test_a_formula_gets_its_letters(text, shown):
    assert hook("docs_gallery").formula(text) == shown


@pytest.mark.parametrize(("page", "typeset"), [("systems/gan.md", True), ("results.md", True), ("step.md", False)])
def test_the_text_of_a_generated_page_gets_its_letters_and_its_code_does_not(page, typeset):
    said = '<p title="D_I">D_I(x) &lt; <code>D_I</code></p><pre><code>z_1</code></pre><h2>z_1 .. z_T</h2>'
    file = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    shown = said.replace(">D_I(x) ", ">D<sub>I</sub>(x) ").replace("z_1 .. z_T", "z<sub>1</sub> .. z<sub>T</sub>")
    assert hook("docs_gallery").on_page_content(said, page=file) == (shown if typeset else said)


def test_the_page_of_metrics_begins_with_what_each_of_them_sees():
    from bms_tf.evaluation import registry

    table, *_ = hook("docs_api").page("metrics").split("\n::: ")
    assert "| [vendi][bms_tf.metrics.vendi.vendi] | how many different samples there are in the features |" in table
    assert len(re.findall(r"^\| \[", table, re.MULTILINE)) == len(registry.listed())
    assert "It sees" not in hook("docs_api").page("networks")


def test_a_formula_between_dollars_becomes_mathml():
    page = '<p>so <span class="arithmatex">\\(x &lt; y\\)</span></p><div class="arithmatex">\\[z_1\\]</div>'
    shown = hook("docs_math").on_page_content(page)
    assert shown.count("<math") == 2 and "arithmatex" not in shown and "<mo>&#x0003C;</mo>" in shown
    assert 'display="block"' in shown
    said = hook("docs_math").on_page_content(r'<span class="arithmatex">\(z \sim q, \log p\)</span>')
    assert "<mo>&#x0223C;</mo>" in said and '<mi>log</mi><mspace width="0.167em" /><mi>p</mi>' in said


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
