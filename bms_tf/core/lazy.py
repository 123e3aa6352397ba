"""Public names that are imported when they are first asked for, so that `import bms_tf` costs nothing."""

import ast
import contextlib
import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

from bms_tf.core import startup


def attach(package: str) -> None:
    """Makes the names of a module public that its source imports under `if TYPE_CHECKING:`.

    That block is the one list: type checkers and the documentation read it as it stands, and so does this function.
    """
    module = sys.modules[package]
    module.__dict__["_homes"] = _homes(inspect.getsource(module))
    module.__class__ = _Lazy


def _homes(source: str) -> dict[str, str]:
    """Name -> the module that the block imports it from."""
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    (block,) = [node for node in blocks if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"]
    return {alias.name: line.module for line in block.body for alias in line.names}  # pyright: ignore[reportAttributeAccessIssue], from-imports


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        home = self.__dict__["_homes"].get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        # TensorFlow's first import is not quiet otherwise; a program that has imported it has its own settings.
        with contextlib.nullcontext() if "tensorflow" in sys.modules else startup.quiet():
            if home == self.__name__:
                return importlib.import_module(f"{home}.{name}")
            value = getattr(importlib.import_module(home), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """Python puts each module that is imported on its package. One that has the name of a public function, as the
        command `bms_tf.train` has, shall not take its place: it is found by `from bms_tf.train import ...`.
        """
        if not (isinstance(value, ModuleType) and self.__dict__["_homes"].get(name, self.__name__) != self.__name__):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__["_homes"], *(name for name in self.__dict__ if name.startswith("__"))})
