"""The exported models that the clone has."""

from pathlib import Path

MODELS = Path(__file__).parents[1] / "savedmodels"
# `my_` is for a user's own, which git leaves out too.
NAMES = sorted(path.name for path in MODELS.iterdir() if path.is_dir() and not path.name.startswith("my_"))
