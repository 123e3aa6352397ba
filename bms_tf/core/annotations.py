"""Does a value fit a parameter's annotation? For settings that come as text, where Python itself would not look."""

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, NamedTuple


class Result(NamedTuple):
    """Stands for what a call of `function_or_class` will return."""

    function_or_class: Callable


def parameters(function_or_class: Callable) -> dict[str, Any]:
    """The parameters by name, each with its annotation, or `Any` where there is none or it cannot be resolved.

    `**kwargs` stands under its own name with two stars in front.
    """
    is_class = inspect.isclass(function_or_class)
    function = function_or_class.__init__ if is_class else function_or_class
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that exist for type checkers only, or a callable object
        hints = {}
    signature = list(inspect.signature(function).parameters.values())[is_class:]  # without self
    return {"**" * (p.kind is p.VAR_KEYWORD) + p.name: hints.get(p.name, Any) for p in signature}


def fits(value: Any, annotation: Any) -> bool:
    """Whether `value` may stand where `annotation` does: an int for a float, but no bool for an int.

    What cannot be judged (type variables, protocols, unknown generics) fits.
    """
    if annotation is Any:
        return True
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, a) for a in args)
    if origin is typing.Literal:
        return any(value == a and type(value) is type(a) for a in args)
    if origin is typing.Annotated:
        return fits(value, args[0])
    if isinstance(value, Result):
        return _may_return(value.function_or_class, origin or annotation)
    if annotation is None:
        return value is None
    if isinstance(value, bool) and annotation in (int, float):
        return False
    if annotation is float:
        return isinstance(value, (int, float))
    kind = origin or annotation
    if kind is collections.abc.Callable:
        return callable(value)
    if not isinstance(kind, type):
        return True
    try:
        if not isinstance(value, kind):
            return False
    except TypeError:  # a protocol that is not for run time
        return True
    if kind is tuple and args and args[-1] is not Ellipsis:
        return len(value) == len(args) and all(map(fits, value, args))
    if isinstance(value, dict) and len(args) == 2:
        return all(fits(k, args[0]) and fits(v, args[1]) for k, v in value.items())
    if isinstance(value, str):
        return kind is not collections.abc.Sequence  # a string is no list of strings
    if isinstance(value, (tuple, list)) and args:
        return all(fits(v, args[0]) for v in value)
    return True


def _may_return(function_or_class: Callable, kind: Any) -> bool:
    """Whether an instance of the class, or what the function says that it returns, may be a `kind`."""
    if inspect.isclass(function_or_class):
        returned = function_or_class
    else:
        returned = getattr(function_or_class, "__annotations__", {}).get("return")
    if not isinstance(returned, type):
        return True
    if kind is collections.abc.Callable:
        return "__call__" in {name for base in returned.__mro__ for name in vars(base)}
    return not isinstance(kind, type) or issubclass(returned, kind) or issubclass(kind, returned)


def spell(annotation: Any) -> str:
    """The annotation as its author would write it: `int | None`, `tuple[int, ...]`."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return "None" if annotation is type(None) else annotation.__name__
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(map(spell, typing.get_args(annotation)))
    if typing.get_origin(annotation) is collections.abc.Callable:
        return "a function (@name, without parentheses)"
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")
