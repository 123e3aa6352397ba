"""The console commands: `bms-train` is `python -m bms_tf.train`, and so is each of the others."""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Runs the module that the name of the script stands for."""
    name = Path(sys.argv[0]).stem.removeprefix("bms-")
    runpy.run_module(f"bms_tf.{name}", run_name="__main__", alter_sys=True)
