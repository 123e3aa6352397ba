# gin-config has no types: here a configurable keeps its own, and REQUIRED may stand for a value of any type.
from collections.abc import Callable
from typing import Any, TypeVar, overload

_T = TypeVar("_T")
REQUIRED: Any

@overload
def configurable(name_or_fn: str, *, module: str | None = ...) -> Callable[[_T], _T]: ...
@overload
def configurable(name_or_fn: _T) -> _T: ...
def __getattr__(name: str) -> Any: ...
