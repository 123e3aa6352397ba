"""The block of metadata at the head of each model's card, as the Hugging Face hub reads it."""

import json

import pytest
import yaml

from tests.shipped import MODELS, NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_metadata_says_what_the_scores_say(name):
    empty, block, card = (MODELS / name / "README.md").read_text().split("---\n", 2)
    assert empty == "" and card.startswith(f"\n# {name}\n")
    metadata = yaml.safe_load(block)
    assert metadata["license"] == "apache-2.0" and "**License of the data**" in card
    assert {"tensorflow", "gan", "vae"} <= set(metadata["tags"])
    ((index,), (result,)) = metadata["model-index"], metadata["model-index"][0]["results"]
    assert index["name"] == name and {"type", "name"} <= result["dataset"].keys() and result["task"]["type"]
    assert [metric["type"] for metric in result["metrics"]] == metadata["metrics"]
    (newest,) = MODELS.glob(f"{name}/*/assets.extra/scores.json")
    scores = json.loads(newest.read_text())["samples"]
    for metric in result["metrics"]:
        assert metric["value"] == pytest.approx(scores[metric["type"]], rel=1e-3), "four digits are given"
