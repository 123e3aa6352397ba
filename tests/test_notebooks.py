"""The notebooks of the documentation run as they are, with one cell changed so that they take less time."""

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("docs/notebooks/*.ipynb")}
# What the test puts into the cell with the tag `parameters`.
SHORT = {"evaluate": "n = 300", "grid": "updates = 200", "pictures": "updates = 10"}


def sources(name: str, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in NOTEBOOKS[name]["cells"] if cell["cell_type"] == kind]


def outputs(notebook: dict) -> list[dict]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_says_what_it_takes_and_what_to_try_next(name):
    texts = sources(name, "markdown")
    assert texts[0].startswith("# ") and re.search(r"\*\*What it takes\.\*\* .*(minute).* memory", texts[0], re.DOTALL)
    assert "## What to try next\n\n- " in texts[-1]
    for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", "".join(texts)):
        assert (ROOT / "docs/notebooks" / target).exists() or target == "../api/metrics.md", target


@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_has_small_pictures_and_names_no_place_of_the_machine_it_ran_on(name):
    found = outputs(NOTEBOOKS[name])
    pictures = [base64.b64decode(o["data"]["image/png"]) for o in found if "image/png" in o.get("data", {})]
    assert pictures and max(map(len, pictures)) < 200_000
    texts = "".join("".join(output.get("text", "")) for output in found)
    assert texts and not re.search(r"/(?:home|root|tmp|work|Users)\b", texts)


def test_every_notebook_is_run():
    assert set(NOTEBOOKS) == set(SHORT)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """`executed(name)`: the folder in which a notebook was run, shortened, and what it printed."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")

    def execute(name):
        folder, ours = tmp_path_factory.mktemp(name), tmp_path_factory.mktemp("jupyter")
        notebook = nbformat.reads(json.dumps(NOTEBOOKS[name]), as_version=4)
        (short,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        short.source = SHORT[name]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(ROOT))
            patch.setenv("IPYTHONDIR", str(ours))
            patch.setenv("JUPYTER_RUNTIME_DIR", str(ours))
            nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
        return folder, "".join(output.get("text", "") for output in outputs(notebook))

    return execute


@pytest.mark.slow
def test_a_gan_beside_bms_vae_gan(executed):
    folder, said = executed("grid")
    for method in ("GAN", "BMS-VAE-GAN"):
        scores = json.loads((folder / "runs" / method / "scores.json").read_text())
        assert 0 <= scores["samples"]["modes"] <= 25 and 0 <= scores["samples"]["hq_percent"] <= 100
        assert scores["data"]["modes"] == 25 and scores["data"]["hq_percent"] > 97
        assert SHORT["grid"] in (folder / "runs" / method / "config.gin").read_text()
    assert re.search(r"^modes .* 25$", said, re.MULTILINE)
    single, best = (float(re.search(rf"{which}: (\S+)", said)[1]) for which in ("a single code", "the best of ten"))
    assert 0 < best < single


@pytest.mark.slow
def test_ones_own_pictures(executed):
    pytest.importorskip("bms_tf.client")
    folder, said = executed("pictures")
    assert len(list((folder / "pictures").glob("*.png"))) == 1797
    assert (folder / "savedmodels/pictures/1/saved_model.pb").exists()
    assert float(re.search(r"largest difference from the model here: (\S+)", said)[1]) < 1e-4


@pytest.mark.slow
def test_samples_of_any_framework(executed):
    folder, _ = executed("evaluate")
    values = {}
    for name in ("mixture", "half", "copies"):
        rows = map(json.loads, (folder / f"{name}.evaluation.jsonl").read_text().splitlines())
        values[name] = {row["name"]: row["value"] for row in rows}
        assert all(0 <= values[name][score] <= 1 for score in ("precision", "recall"))
    assert values["half"]["recall"] < values["mixture"]["recall"]
    assert values["copies"]["authentic_percent"] == 0 < values["mixture"]["authentic_percent"]
    (block,) = re.findall(r"```bash\n(.*?)```", "".join(sources("evaluate", "markdown")), re.DOTALL)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    ended = subprocess.run(
        [sys.executable, *shlex.split(block)[1:]], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "recall" in ended.stdout
