"""Whether a value fits a parameter's annotation. It is asked of settings, which Python itself does not check."""

import collections.abc
import inspect
import math
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
    if function is object.__init__:  # its signature takes anything, and a call refuses it
        return {}
    hints = _hints(function)
    signature = list(inspect.signature(function).parameters.values())[is_class:]  # without self
    return {"**" * (p.kind is p.VAR_KEYWORD) + p.name: hints.get(p.name, Any) for p in signature}


def _hints(function: Callable) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that exist for type checkers only, or a callable object
        return {}


def representable(value: Any) -> bool:
    """Whether every number in `value`, however deep, is finite and an integer of 64 bits at most."""
    if isinstance(value, dict):
        return all(map(representable, (*value, *value.values())))
    if isinstance(value, (list, tuple)):
        return all(map(representable, value))
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not isinstance(value, float) or math.isfinite(value)


def fits(value: Any, annotation: Any) -> bool:
    """Whether `value` may stand where `annotation` does: an int for a float, but no bool for an int.

    A function fits `Callable[[A], R]` if it takes as many arguments by position and does not say that it returns
    something else than an R. What cannot be judged (type variables, protocols, unknown generics) fits.
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
        return _result_fits(_returned(value.function_or_class), annotation)
    if annotation is None:
        return value is None
    if annotation in (int, float) and isinstance(value, bool):
        return False
    if annotation is float:
        return isinstance(value, (int, float))
    kind = origin or annotation
    if kind is collections.abc.Callable:
        return callable(value) and _takes(value, *args[:1]) and _meet(_returned(value), *args[1:])
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


def _takes(function: Callable, arguments: Any = ...) -> bool:
    """Whether the function takes by position what `arguments` lists, and needs no more."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # a function of C that does not tell
        return True
    if arguments is ...:
        return True
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    if len(arguments) < needed or (len(arguments) > len(positional) and not takes_any):
        return False
    annotated = parameters(function)
    return all(_meet(given, annotated[p.name]) for given, p in zip(arguments, positional))


def _returned(function_or_class: Callable) -> Any:
    """The type that a call gives: the class itself, or the annotation of what the function returns."""
    return function_or_class if inspect.isclass(function_or_class) else _hints(function_or_class).get("return", Any)


def _result_fits(returned: Any, annotation: Any) -> bool:
    """Whether a value of the type `returned` may stand where `annotation` does."""
    if (typing.get_origin(annotation) or annotation) is not collections.abc.Callable:
        return _meet(returned, annotation)
    _, wanted = typing.get_args(annotation) or (..., Any)
    named = wanted is not Any and inspect.isclass(returned) and inspect.isclass(wanted)
    if named and issubclass(returned, wanted):  # pyright: ignore[reportArgumentType], Any is no class here
        return False  # what the function was to make, where the function is asked for
    if not inspect.isclass(returned):
        return True
    call = next((vars(base)["__call__"] for base in returned.__mro__ if "__call__" in vars(base)), None)
    if call is None:
        return False
    given = _hints(call).get("return")  # a network's call says nothing of what it gives
    return wanted is Any if given is None else _meet(given, wanted)


def _meet(returned: Any, annotation: Any = Any) -> bool:
    """Whether something may be both: they are the same class, or one is derived from the other."""
    ours, theirs = _alternatives(returned), _alternatives(annotation)
    return any(
        not (inspect.isclass(a) and inspect.isclass(b)) or issubclass(a, b) or issubclass(b, a)
        for a in ours
        for b in theirs
    )


_STANDS_FOR = {None: type(None), Any: object, int: float}  # an int will do for a float


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union without their type arguments, or the annotation as the only one; `object` for `Any`."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if is_union else (annotation,)
    plain = [typing.get_origin(member) or member for member in members]
    return [_STANDS_FOR.get(member, member) for member in plain]


def spell(annotation: Any) -> str:
    """The annotation as its author would write it: `int | None`, `tuple[int, ...]`."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return "None" if annotation is type(None) else annotation.__name__
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(map(spell, typing.get_args(annotation)))
    if typing.get_origin(annotation) is collections.abc.Callable:
        returned = typing.get_args(annotation)[1]
        gives = "" if returned is Any else f" that gives {spell(returned)}"
        return f"a function{gives} (@name, without parentheses)"
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")
