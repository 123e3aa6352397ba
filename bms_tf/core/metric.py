"""What a metric gets, by its first parameter and its attribute `needs`.

A metric is a function in `bms_tf/metrics/`: `metric(samples, reference, *, seed, ...)` or
`metric(model, reference, *, seed, ...)`, which returns floats by name, matplotlib figures, and words for the protocol.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from bms_tf.core import errors

FIRST = ("samples", "model")
# What `samples` and `reference` may be: a function says it in its attribute `needs`.
#   features: float32 [N, F], of the network that the user names, or the examples themselves where that is "values"
#   values:   float32 [N, ...], the examples themselves, pictures in [-1, 1]
#   rows:     the same, on the disk: `rows[i:j]` and `rows[indices]` are arrays, len(rows) and rows.shape as of one
#   logits:   float32 [N, K], the network's class scores
# Beside a model, `reference` is rows.
NEEDS = ("features", "values", "rows", "logits")


def takes(metric: Callable) -> str:
    """ "samples" or "model". Raises ValueError for a function that is no metric."""
    first = [*inspect.signature(metric).parameters][:2]
    if len(first) < 2 or first[0] not in FIRST or first[1] != "reference":
        raise ValueError(
            f"{metric.__name__} is no metric: its first parameters must be samples or model, and reference"
        )
    return first[0]


def needs(metric: Callable) -> str:
    """One of `NEEDS`. Raises ValueError for another value of the function's attribute."""
    kind = getattr(metric, "needs", "features")
    if kind not in NEEDS:
        raise ValueError(f"{metric.__name__}.needs is {kind!r}; it must be one of {', '.join(NEEDS)}")
    return kind


def better(metric: Callable, name: str) -> str | None:
    """Whether a "lower" or a "higher" value of that name is better, as the function's attribute `better` says.

    None where it says neither. Such a value should be near that of real data.
    """
    return getattr(metric, "better", {}).get(name)


def parameters(metric: Callable) -> tuple[str, ...]:
    """The names of all parameters."""
    return tuple(inspect.signature(metric).parameters)


def answer_of(metric: Callable, *given: Any, **more: Any) -> Mapping[str, Any]:
    """What a metric says of what it is given. Raises ValueError where that is no metric's answer."""
    answer = metric(*given, **more)
    try:
        numbers(answer)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{metric.__name__} must return a dict of numbers by name; it returned {errors.short(repr(answer))}"
        ) from error
    return answer


def numbers(answer: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a metric's answer."""
    words_and_figures = {*words(answer), *figures(answer)}
    return {name: float(value) for name, value in answer.items() if name not in words_and_figures}


def words(answer: Mapping[str, Any]) -> dict[str, str]:
    """The words that a metric's answer adds to the protocol, such as the hash of a file that it read."""
    return {name: value for name, value in answer.items() if isinstance(value, str)}


def figures(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The pictures of a metric's answer."""
    return {name: value for name, value in answer.items() if hasattr(value, "savefig")}
