# Anything goes: the stubs that type checkers bring for TensorFlow know neither XLA's nor Keras 2's side of it, and
# nine of ten alarms about correct code come from them.
from typing import Any

def __getattr__(name: str) -> Any: ...
