# gin-config has no types: here a configurable keeps its own, and REQUIRED may stand for a value of any type.
from typing import Any

REQUIRED: Any

def configurable(name_or_fn: Any = ..., *, module: str | None = ...) -> Any: ...
def __getattr__(name: str) -> Any: ...
