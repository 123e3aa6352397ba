"""A working directory with toys: configurables that gin files can name."""

import itertools
import sys
import textwrap
from pathlib import Path

import gin
import pytest

from bms_tf.core import config, errors

MODULE = """
import gin
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

class Network: ...

made = []

@gin.configurable
def tiny(*, width: int = gin.REQUIRED, rate: float = 0.1) -> Network:
    made.append(gin.current_scope_str())
    if width < 1:
        raise ValueError(f"width is {width}; it must be at least 1")
    return Network()

@gin.configurable
class Toy:
    def __init__(self, *, network: Network | None = None, make: Callable[..., Network] | None = None, T: int = 1,
                 rate: float = 0.0, flag: bool = False, name: str = "", sizes: tuple[int, ...] = (),
                 pair: tuple[int, float] | None = None, mode: Literal["min", "mean"] = "min", free=None):
        self.network, self.T = network, T

@gin.configurable
def needs(size: int):
    return size

@gin.configurable
def other(layer: Network) -> float:
    return 0.0

@gin.configurable
def measure(samples: list) -> dict[str, float]:
    return {}

@gin.configurable
class Deep:
    def __init__(self, *, measures: Sequence[Callable[..., Mapping[str, float]]] = (),
                 wrap: Callable[[Network], Network] | None = None, keyed: Callable[..., Network] | None = None,
                 anything: Callable | None = None):
        self.made = keyed and keyed(size=3)

def twice(network: Network) -> Network:
    return network

@gin.configurable
def wrapped(network: Network, wrapper: Callable[[Network], Network] = twice) -> Network:
    return wrapper(network)

@gin.configurable
class Score:
    def __call__(self, samples: list) -> float:
        return 0.0

@gin.configurable
class Untold:
    def __call__(self, samples):
        return 0.0

@gin.configurable
def endless(*, part: Network | None = None) -> Network:
    return Network()
"""
count = itertools.count()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a module of configurables; `write(name, text)` adds a file, `load(text)` reads one."""
    module = f"toys{next(count)}"
    (tmp_path / f"{module}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = set(config.registered())
    yield Folder(module)
    for selector in set(config.registered()) - before:
        gin.config._REGISTRY.pop(selector)  # or the next module's short names were ambiguous
    sys.modules.pop(module, None)


class Folder:
    def __init__(self, module):
        self.module = module

    def write(self, name, text):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(textwrap.dedent(text))

    def load(self, text="", params=(), name="a.gin"):
        """Line 1 of the file is the import, so `text` begins on line 2."""
        self.write(name, f"import {self.module}\n" + text)
        config.load([name], params, [self.module])
        return sys.modules[self.module]

    def error(self, text="", params=()):
        with pytest.raises(errors.ConfigError) as caught:
            self.load(text, params)
        assert "\n" not in str(caught.value)
        assert config.as_text().count(" = ") == 0, "nothing may be bound when a file is refused"
        return str(caught.value)
