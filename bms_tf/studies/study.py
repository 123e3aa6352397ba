"""What a study is: its methods with their declared spaces, data, seeds, the rule that picks, and published values."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import gin

from bms_tf.core import config
from bms_tf.studies.rules import Row
from bms_tf.tuning.space import Choice, Code, Interval

Setting = tuple[tuple[str, Code], ...]  # the values of a method's space: (gin parameter, value)
Rule = Callable[[Sequence[Row]], Mapping[str, Row | None]]


class Job(NamedTuple):
    """One run of a study. `length`: in multiples of the recipe's."""

    data: str
    method: str
    setting: Setting
    seed: int
    length: int = 1

    def as_row(self) -> Row:
        return {**self._asdict(), "setting": dict(self.setting)}


def job_of(row: Row) -> Job:
    """The job that a row is of."""
    return Job(row["data"], row["method"], tuple(row["setting"].items()), row["seed"], row["length"])


@gin.configurable("method", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """One method of a table.

    `files`: gin files, put behind those of the data and of the study; `params`: settings on top of them by gin
    parameter, where a `choice` or `interval` is swept; `on`: by data set, those that differ there. `paper`: of what is
    swept the paper's own values, or those of the authors' code; {} where neither has one for this data. `published`: by
    data set and score, a mean or (mean, deviation).

    Raises ValueError where the paper's setting is not in the space.
    """

    name: str
    files: Sequence[str] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    on: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    paper: dict[str, Any] = dataclasses.field(default_factory=dict)
    published: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def params_on(self, data: str) -> dict[str, Any]:
        """What is set on a data set, and swept."""
        return self.params | self.on.get(data, {})

    def space(self, data: str) -> dict[str, Choice | Interval]:
        """What is swept there; {} where nothing is tuned."""
        return {name: value for name, value in self.params_on(data).items() if isinstance(value, (Choice, Interval))}

    def fixed(self, data: str) -> dict[str, Any]:
        """What is set there for every run."""
        return {name: value for name, value in self.params_on(data).items() if name not in self.space(data)}

    def settings(self, data: str, beyond: Mapping[int, Sequence[int]] = {}) -> list[Setting]:  # noqa: B006, read only
        """Every combination of the space, the last parameter moving fastest.

        `beyond`: by axis, at which of its ends, 0 or -1, the space goes one step further; those combinations come last.
        """
        space = self.space(data)
        axes = [[(name, _rounded(code)) for code in parameter.codes] for name, parameter in space.items()]
        declared = list(itertools.product(*axes))
        for axis, ends in beyond.items():
            name, parameter = list(space.items())[axis]
            axes[axis] = [*axes[axis], *((name, step_beyond(parameter, end)) for end in ends)]
        return declared + [setting for setting in itertools.product(*axes) if setting not in declared]

    def check_paper(self, data: str):
        """Raises ValueError where the space on a data set lacks what the paper has."""
        for name, value in self.paper.items():
            parameter = self.space(data).get(name)
            if parameter is None:
                raise ValueError(f"method {self.name!r}: {name}, of its paper, is not swept on {data}")
            if not any(_same(parameter.code(value), code) for code in parameter.codes):
                codes = ", ".join(map(str, parameter.codes))
                raise ValueError(f"method {self.name!r}: its {name} on {data}, {codes}, lacks its paper's own {value}")


def _rounded(code: Code) -> Code:
    """Without the last digits of a product of floats, so that a value is the same however it was reached."""
    return float(f"{code:.12g}") if isinstance(code, float) else code


def _same(a: Code, b: Code) -> bool:
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    return math.isclose(a, b, rel_tol=1e-9) if numbers else a == b


def step_beyond(interval: Interval, end: int) -> Code:
    """One step outside the interval, at its lower end (0) or its upper one (-1)."""
    value, down = interval.codes[end], end == 0
    if interval.log:
        further = value / interval.step if down else value * interval.step
    else:
        further = value - interval.step if down else value + interval.step
    return _rounded(further)


@gin.configurable("study", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A table: every method on every data set, each tuned with the same number of trials.

    `data`: gin files by the data set's name; `files`, `params`: of every run; a run reads `data`, `files`, the
    method's files, `params` and the method's. `trials`: how many each method has on each data set, all at full length,
    on `tuning_seed`; it is the size of each method's space, or 0 where nothing is tuned. `rule`: see rules.py; its
    first line is the headline. The chosen are run on `seeds`, and the headline `longer` times as long on
    `longer_seeds`. `columns`: the scores of the table in their order, each with the direction that is better, or None
    for no mark. `evaluations`: what `bms_tf.evaluate` adds to a run's scores. `protocol`: how ours are scored;
    `published_protocol`: how the published were. `gpu`: whether it is meant for one; `hours`: of a run on `hardware`,
    as estimated, by data set.

    Raises ValueError for what does not fit together.
    """

    title: str
    data: dict[str, Sequence[str]]
    methods: Sequence[Method]
    columns: dict[str, Literal["min", "max"] | None]
    protocol: str
    published_protocol: str = ""
    files: Sequence[str] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    trials: int = 0
    tuning_seed: int = 100
    seeds: Sequence[int] = (0, 1, 2)
    rule: Rule | None = None
    longer: int | None = None
    longer_seeds: Sequence[int] = (0,)
    evaluations: Sequence[str] = ()
    gpu: bool = False
    hardware: str = ""
    hours: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.data or not self.methods or not self.seeds or not self.columns:
            raise ValueError("study.data, study.methods, study.seeds and study.columns must not be empty")
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            raise ValueError(f"study.methods has two of one name: {', '.join(names)}")
        seeds = (*self.seeds, *self.longer_seeds)
        if len(set(self.seeds)) < len(self.seeds) or min(self.tuning_seed, *seeds) < 0:
            raise ValueError(f"study.seeds is {self.seeds}; each once, and none negative")
        if self.tuning_seed in seeds:
            raise ValueError(
                f"study.seeds holds {self.tuning_seed}, the seed of tuning; what is tuned on a seed cannot be reported "
                "on it"
            )
        if self.longer is not None and self.longer < 2:
            raise ValueError(f"study.longer is {self.longer}; it must be at least 2, or None")
        if bool(self.trials) != (self.rule is not None):
            raise ValueError("study.trials and study.rule go together: the rule picks among the trials")
        for method in self.methods:
            self._check_names(method)
        for data in self.data:
            self._check_spaces(data)

    def _check_spaces(self, data: str):
        first = None
        for method in self.methods:
            method.check_paper(data)
            if not method.space(data):
                continue
            count = len(method.settings(data))
            if count != self.trials:
                raise ValueError(
                    f"study.trials is {self.trials}, but the space of {method.name!r} on {data} has {count} settings; "
                    "every method gets the same number"
                )
            shape = [(type(p).__name__, len(p.codes)) for p in method.space(data).values()]
            first = first or (method.name, shape)
            if shape != first[1]:
                raise ValueError(
                    f"the space of {method.name!r} on {data} is {_spelled(shape)}, that of {first[0]!r} "
                    f"{_spelled(first[1])}; a space is widened for all methods alike, so that they must agree"
                )

    def _check_names(self, method: Method):
        for data in (*method.published, *method.on):
            if data not in self.data:
                raise ValueError(f"method {method.name!r} has something on {data!r}{one_of(data, self.data)}")
        for score in itertools.chain(*method.published.values()):
            if score not in self.columns:
                raise ValueError(f"method {method.name!r} has a published {score!r}{one_of(score, self.columns)}")

    def method(self, name: str) -> Method:
        """Raises ValueError where there is none."""
        for method in self.methods:
            if method.name == name:
                return method
        raise ValueError(f"no method {name!r}{one_of(name, [m.name for m in self.methods])}")

    def recipe(self, data: str, method: Method) -> str:
        """The gin text of what all runs of a method on a data set share, with the first of its settings."""
        from bms_tf.core import recipe  # noqa: F401, registers `train`; late, as a table needs no TensorFlow

        params = self.params | method.fixed(data) | dict(method.settings(data)[0])
        config.load([*self.data[data], *self.files, *method.files], [f"{k} = {as_gin(v)}" for k, v in params.items()])
        return config.as_text()


def _spelled(shape: Sequence[tuple[str, int]]) -> str:
    return " x ".join(f"{kind} of {count}" for kind, count in shape)


def one_of(name: str, names: Collection[str]) -> str:
    """The end of an error's line about a name that is none of `names`."""
    return config.nearest(name, names) or f"; there are {', '.join(names)}"


def as_gin(value: Any) -> str:
    """A value as gin text. A string that begins with @ or % is gin's reference of that name."""
    if isinstance(value, list):
        return f"[{', '.join(map(as_gin, value))}]"
    return value if isinstance(value, str) and value[:1] in ("@", "%") else repr(value)


def load(path: str) -> Study:
    """The study of a gin file. Raises ValueError for what is wrong with it."""
    config.load([path])
    with config.one_line_errors():
        return Study()
