"""The site of the documentation: it builds without network; its generated pages are made of code and records."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def hook(name: str):
    """One of the hooks of mkdocs.yml, as a module."""
    spec = util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_the_pages_of_the_api_have_everything_that_is_public():
    import bms_tf

    elsewhere = {"keras", *hook("docs_api").PAGES}  # Keras has its own documentation
    public = {f"{home}.{name}" for name, home in bms_tf._homes.items() if name not in elsewhere}
    written = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("api/*.md"))
    assert len(public) > 7 and public <= set(re.findall(r"^::: (\S+)$", written, re.MULTILINE))


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
    for data, method in (("ring", "BMS-VAE-GAN, T = 10"), ("grid", "BMS-VAE-GAN, T = 10, on the grid")):
        hq = [row["samples"]["hq_percent"] for row in rows if row["method"] == method]
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
    counts = [int(count) for count in re.findall(r"^- (\d+) runs, 20", page, re.MULTILINE)]
    assert counts == sorted((results.runs(path) for path in recorded), reverse=True), "the largest comes first"


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
