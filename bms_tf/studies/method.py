"""One method of a study: its gin files, what is swept, and what was published of it."""

import dataclasses
import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any

import gin

from bms_tf.core import errors
from bms_tf.tuning.space import Choice, Code, Interval

# The values of what is swept, (gin parameter, number or gin text), in the order of the parameters' names.
Setting = tuple[tuple[str, Code], ...]


@gin.configurable("method", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """One method of a table.

    Args:
        name: of the method in the table.
        files: gin files that are read behind those of the data and of the study.
        params: settings on top of the files, by gin parameter. A `choice` or `interval` is swept.
        on: by data set, the settings that differ there.
        paper: by data set, the paper's own values of what is swept, or those of the authors' code.
        published: by data set and score, a mean or (mean, deviation).
        data: the data sets on which the method runs; () for all.
        seeds: its own seeds; None for the study's.
        later: whether the method waits until the others have their lines, as an expensive one may.
    """

    name: str
    files: Sequence[str] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    on: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    paper: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    published: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    data: Sequence[str] = ()
    seeds: Sequence[int] | None = None
    later: bool = False

    def params_on(self, data: str) -> dict[str, Any]:
        """The settings on a data set, those that are swept among them."""
        return self.params | self.on.get(data, {})

    def space(self, data: str) -> dict[str, Choice | Interval]:
        """The parameters that are swept on a data set; {} where nothing is tuned."""
        return {name: value for name, value in self.params_on(data).items() if isinstance(value, (Choice, Interval))}

    def fixed(self, data: str) -> dict[str, Any]:
        """The settings that all runs on a data set share."""
        return {name: value for name, value in self.params_on(data).items() if name not in self.space(data)}

    def settings(self, data: str) -> list[Setting]:
        """Every combination of the space, its last parameter moving fastest."""
        axes = [[(name, _rounded(code)) for code in parameter.codes] for name, parameter in self.space(data).items()]
        return [tuple(sorted(setting)) for setting in itertools.product(*axes)]

    def beyond(self, data: str, setting: Setting, ends: Collection[tuple[int, int]]) -> list[Setting]:
        """`setting` with one value a step outside the space, for each of `ends`: (axis, 0 or -1)."""
        space = list(self.space(data).items())
        moved = (
            (space[axis][0], step_beyond(space[axis][1], end))  # pyright: ignore[reportArgumentType], no choice has ends
            for axis, end in ends
        )
        return [tuple(sorted((dict(setting) | {name: code}).items())) for name, code in moved]

    def is_papers(self, data: str, setting: Setting) -> bool:
        """Whether a setting has the paper's own values. False where the paper has none."""
        space, values, own = self.space(data), dict(setting), self.paper.get(data, {})
        return bool(own) and all(_same(space[name].code(value), values[name]) for name, value in own.items())

    def check_paper(self, data: str):
        """Raises ValueError where the space on a data set lacks the paper's own values."""
        for name, value in self.paper.get(data, {}).items():
            parameter = self.space(data).get(name)
            if parameter is None:
                raise ValueError(f"method {self.name!r}: {name}, of its paper, is not swept on {data}")
            if not any(_same(parameter.code(value), code) for code in parameter.codes):
                codes = ", ".join(map(str, parameter.codes))
                raise ValueError(f"method {self.name!r}: its {name} on {data}, {codes}, lacks the paper's own {value}")


def _rounded(code: Code) -> Code:
    """`value` without the last digits of a product of floats. So a value is the same however it was reached."""
    return float(f"{code:.12g}") if isinstance(code, float) else code


def _same(a: Code, b: Code) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9)
    return a == b


def step_beyond(interval: Interval, end: int) -> Code:
    """One step outside the interval, at its lower end (0) or its upper one (-1)."""
    value, step, down = interval.codes[end], interval.step, end == 0
    assert step is not None, "a study tries every value"
    if interval.log:
        further = value / step if down else value * step
    else:
        further = value - step if down else value + step
    return round(further) if interval.whole else _rounded(further)


def as_gin(value: Any) -> str:
    """A value as gin text. A string that begins with @ or % is gin's reference of that name."""
    if isinstance(value, list):
        return f"[{', '.join(map(as_gin, value))}]"
    return value if isinstance(value, str) and value[:1] in ("@", "%") else repr(value)


def one_of(name: str, names: Collection[str]) -> str:
    """The end of an error's line about a name that is none of `names`."""
    return errors.nearest(name, names) or f"; there are {', '.join(names)}"
