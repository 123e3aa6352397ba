"""Scripts of benchmarks/, imported with flags of their own: here all of them, and all commands, are in one process."""

import contextlib
import importlib
import sys
from pathlib import Path

import pytest
from absl import flags

FOLDER = Path(__file__).parents[2] / "benchmarks"


@contextlib.contextmanager
def other_flags():
    """Inside, there is no flag at first; afterwards there are those of before."""
    kept = dict(vars(flags.FLAGS))
    vars(flags.FLAGS).update(vars(flags.FlagValues()))
    flags.FLAGS.mark_as_parsed()
    try:
        yield
    finally:
        vars(flags.FLAGS).update(kept)


@pytest.fixture(scope="module")
def script():
    """`script(name)`: the module benchmarks/NAME.py, as long as the tests of one file last."""
    with other_flags(), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(FOLDER)):
                del sys.modules[name]
