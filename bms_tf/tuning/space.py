"""What is swept: gin parameters with their values. All are declared to KerasTuner before the first trial.

KerasTuner knows numbers and strings. So a choice between numbers is one for it as well. Any other value (a tuple,
True, None, a reference) travels as the text that gin reads.
"""

import contextlib
import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gin

if TYPE_CHECKING:  # it imports TensorFlow, which a report on a study does without
    import keras_tuner

Code = int | float | str  # a value as KerasTuner holds it; its str() is gin text


@gin.configurable("choice")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values. A string that begins with @ or % is gin's reference of that name.

    Args:
        values: each once.
        when: for each parent's name, those of its values for which this parameter is swept. Otherwise the parameter
            keeps the recipe's value.

    Raises:
        ValueError: for no values, or one that comes twice.
    """

    values: Sequence
    when: dict[str, Sequence] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.values or len(set(self.codes)) < len(self.values):
            raise ValueError(f"choice.values is {self.values!r}; it must hold values, each once")

    @property
    def codes(self) -> list[Code]:
        """Every value."""
        return [self.code(value) for value in self.values]

    def code(self, value: Any) -> Code:
        kinds = set(map(type, self.values))
        if kinds <= {int, float}:
            return value if kinds == {int} else float(value)
        return value if isinstance(value, str) and value[:1] in ("@", "%") else repr(value)

    def declare(self, space: "keras_tuner.HyperParameters", name: str):
        space.Choice(name, self.codes)


@gin.configurable("interval")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Interval:
    """A number between two ends, whole if both are.

    Args:
        low: the least value.
        high: the largest value.
        step: the distance of neighbors, with `log` their ratio. None allows any number, of which a grid takes ten.
        log: whether each factor is as likely as any other.
        when: see `Choice`.

    Raises:
        ValueError: for an interval that is empty or inverted, a logarithm through zero, or a step that does not lead
            up.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    when: dict[str, Sequence] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.low < self.high:
            raise ValueError(f"interval.low is {self.low} and high {self.high}; low must be below high")
        if self.log and self.low <= 0:
            raise ValueError(f"interval.low is {self.low}; with log it must be positive")
        if self.step is not None and self.step <= self.log:
            raise ValueError(f"interval.step is {self.step}; it must be above {'1 with log' if self.log else 0}")

    @property
    def codes(self) -> list[float]:
        """Every step, or both ends where there are none."""
        if self.step is None:
            return [self.code(self.low), self.code(self.high)]
        count = math.log(self.high / self.low, self.step) if self.log else (self.high - self.low) / self.step
        steps = range(int(count + 1e-9) + 1)
        values = [self.low * self.step**i if self.log else self.low + i * self.step for i in steps]
        return list(map(round if self.whole else float, values))

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def code(self, value: float) -> float:
        return value if self.whole else float(value)

    def declare(self, space: "keras_tuner.HyperParameters", name: str):
        if self.step is not None:  # of whole numbers KerasTuner's own logarithmic steps are floats
            space.Choice(name, self.codes)
        else:
            kind = space.Int if isinstance(self.codes[0], int) else space.Float
            kind(name, *self.codes, sampling="log" if self.log else "linear")


def declare(parameters: Mapping[str, Choice | Interval]) -> "keras_tuner.HyperParameters":
    """The space of gin parameters by name. Raises ValueError for a condition that cannot hold."""
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for name, parameter in parameters.items():
        with contextlib.ExitStack() as conditions:
            for parent, values in parameter.when.items():
                if parent not in [earlier.name for earlier in space.space]:
                    raise ValueError(f"tune.space: {name} depends on {parent!r}, which is not swept before it")
                codes = [parameters[parent].code(value) for value in values]
                if isinstance(parameters[parent], Choice) and not set(codes) <= set(parameters[parent].codes):
                    raise ValueError(f"tune.space: {name} depends on {parent} in {values!r}, which it never is")
                conditions.enter_context(space.conditional_scope(parent, codes))
            parameter.declare(space, name)
    return space


def bindings(values: Mapping[str, Code]) -> list[str]:
    """KerasTuner's values as gin bindings, without what its oracles note down beside them (`tuner/...`)."""
    return [f"{name} = {value}" for name, value in swept(values).items()]


def swept(values: Mapping[str, Code]) -> dict[str, Code]:
    """The values of the space alone."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


def shown(values: Mapping[str, Code]) -> str:
    """One line for people: the parameters' own names, unless two have the same one."""
    names = short_names(values)
    return ", ".join(f"{names[k]}={v:.4g}" if isinstance(v, float) else f"{names[k]}={v}" for k, v in values.items())


def short_names(names: Collection[str]) -> dict[str, str]:
    """Shortens `BMSVAEGAN.lambda_` to `lambda_`, where no other name ends so."""
    last = [name.rpartition(".")[2] for name in names]
    return {name: end if last.count(end) == 1 else name for name, end in zip(names, last)}
