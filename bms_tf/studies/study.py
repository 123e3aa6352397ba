"""What a study is: its methods on its data, how they are tuned, the seeds, the rule that picks, and the table."""

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import gin

from bms_tf.core import config, errors
from bms_tf.studies.evaluating import metrics
from bms_tf.studies.method import Method, Setting, as_gin, one_of
from bms_tf.studies.rules import Row
from bms_tf.tuning.space import Interval

Rule = Callable[[Sequence[Row]], Mapping[str, Row | None]]
Columns = dict[str, Literal["min", "max"] | None]  # scores, each with the direction that is better; None for no mark


class Job(NamedTuple):
    """One run of a study."""

    data: str
    method: str
    setting: Setting
    seed: int

    def as_row(self) -> Row:
        return {**self._asdict(), "setting": dict(self.setting)}


def job_of(row: Row) -> Job:
    """The job that a row is of."""
    return Job(row["data"], row["method"], tuple(sorted(row["setting"].items())), row["seed"])


@gin.configurable("study", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A table of every method on every data set. All methods are tuned with the same number of trials.

    A run reads the gin files of its data set, those of the study and those of its method. Then it takes the settings of
    the study and those of its method.

    Args:
        title: of the table.
        data: gin files by the data set's name.
        methods: the lines of the table.
        columns: the scores in the table, in their order.
        columns_on: by data set, other columns.
        protocol: says how our values are scored.
        published_protocol: says how the published values were scored.
        files: gin files of every run.
        params: settings of every run.
        trials: how many trials each method has on each data set, all at full length. They are its whole space, or, of a
            larger space without intervals, a sample with the paper's own setting. 0 tunes nothing.
        tuning_seed: the seed of all trials.
        seeds: the seeds on which the chosen settings run.
        rule: picks among the trials, see rules.py. Its scores are columns, and its first line is the headline.
        evaluations: by data set, the flags of each call of `bms_tf.evaluate` that adds to a run's scores.
        figures: `curves` beside the figures that all studies have.
        gpu: whether the study is meant for a GPU.
        hardware: the machine that `hours` are of.
        hours: by data set, the estimated hours of a run.

    Raises:
        ValueError: for what does not fit together.
    """

    title: str
    data: dict[str, Sequence[str]]
    methods: Sequence[Method]
    columns: Columns
    columns_on: dict[str, Columns] = dataclasses.field(default_factory=dict)
    protocol: str
    published_protocol: str = ""
    files: Sequence[str] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    trials: int = 0
    tuning_seed: int = 100
    seeds: Sequence[int] = (0, 1, 2)
    rule: Rule | None = None
    evaluations: dict[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    figures: Sequence[Any] = ()
    gpu: bool = False
    hardware: str = ""
    hours: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not self.data or not self.methods or not self.seeds or not self.columns:
            raise ValueError("study.data, study.methods, study.seeds and study.columns must not be empty")
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            raise ValueError(f"study.methods has two of one name: {', '.join(names)}")
        for seeds in (self.seeds, *(method.seeds or () for method in self.methods)):
            if len(set(seeds)) < len(seeds) or min((*seeds, self.tuning_seed)) < 0:
                raise ValueError(f"the seeds are {seeds}, of tuning {self.tuning_seed}; each once, and none negative")
            if self.tuning_seed in seeds:
                raise ValueError(
                    f"the seeds {seeds} hold {self.tuning_seed}, the seed of tuning; what is tuned on a seed cannot be "
                    "reported on it"
                )
        if bool(self.trials) != (self.rule is not None):
            raise ValueError("study.trials and study.rule go together: the rule picks among the trials")
        for data in (*self.columns_on, *self.evaluations, *self.hours, *getattr(self.rule, "data", ())):
            if data not in self.data:
                raise ValueError(f"the study sets something for {data!r}{one_of(data, self.data)}")
        for data, calls in self.evaluations.items():
            asked = [metric for flags in calls for metric in metrics(flags)]
            if twice := [metric for metric in dict.fromkeys(asked) if asked.count(metric) > 1]:
                raise ValueError(f"study.evaluations of {data} has {twice[0]} twice; its scores would have one name")
        for method in self.methods:
            self._check_names(method)
        for data in self.data:
            if not self.methods_on(data):
                raise ValueError(f"study.data has {data!r}, on which no method runs")
            self._check_spaces(data)

    def _check_names(self, method: Method):
        for data in (*method.published, *method.on, *method.paper, *method.data):
            if data not in self.data:
                raise ValueError(f"method {method.name!r} sets something for {data!r}{one_of(data, self.data)}")
        for data, scores in method.published.items():
            for score in scores:
                columns = self.columns_of(data)
                if score not in columns:
                    raise ValueError(f"method {method.name!r} has a published {score!r}{one_of(score, columns)}")

    def _check_spaces(self, data: str):
        tuned = [method for method in self.methods_on(data) if method.space(data)]
        intervals = [p for method in tuned for p in method.space(data).values() if isinstance(p, Interval)]
        if any(interval.step is None for interval in intervals):
            raise ValueError(f"an interval that is swept on {data} has no step; a study tries every value")
        columns = self.columns_of(data)
        for score in getattr(self.rule, "scores", ()) if tuned else ():
            if score not in columns:
                raise ValueError(f"study.rule reads {score!r}, which is no column of {data}{one_of(score, columns)}")
        widened = bool(intervals)
        for method in tuned:
            method.check_paper(data)
            count = len(method.settings(data))
            if count < self.trials or (widened and count > self.trials) or not self.trials:
                raise ValueError(
                    f"study.trials is {self.trials}, but the space of {method.name!r} on {data} has {count} settings; "
                    f"every method gets the same number: study.trials = {count}, or another space"
                )
            if widened and _shape(method, data) != _shape(tuned[0], data):
                raise ValueError(
                    f"the space of {method.name!r} on {data} is {_shape(method, data)}, that of {tuned[0].name!r} "
                    f"{_shape(tuned[0], data)}; a space is widened for all methods alike, so they must agree"
                )

    def methods_on(self, data: str) -> list[Method]:
        return [method for method in self.methods if not method.data or data in method.data]

    def pairs(self) -> list[tuple[str, Method]]:
        """Every data set with each of its methods."""
        return [(data, method) for data in self.data for method in self.methods_on(data)]

    def columns_of(self, data: str) -> Columns:
        return self.columns_on.get(data, self.columns)

    def seeds_of(self, method: Method) -> Sequence[int]:
        """On which seeds a chosen setting is run."""
        return self.seeds if method.seeds is None else method.seeds

    def settings(self, data: str, method: Method) -> list[Setting]:
        """The trials of a method; none where nothing is tuned."""
        if not method.space(data):
            return []
        settings = method.settings(data)
        if len(settings) == self.trials:
            return settings
        own = [setting for setting in settings if method.is_papers(data, setting)][:1]
        rest = [setting for setting in settings if setting not in own]
        sample = own + random.Random(self.tuning_seed).sample(rest, self.trials - len(own))
        return [setting for setting in settings if setting in sample]

    def method(self, name: str) -> Method:
        """The method of that name. Raises ValueError where there is none."""
        for method in self.methods:
            if method.name == name:
                return method
        raise ValueError(f"no method {name!r}{one_of(name, [m.name for m in self.methods])}")

    def picked(self, rows: Sequence[Row]) -> Mapping[str, Row | None]:
        """What the rule picks among the trials of one method on one data set, by line of the table."""
        assert self.rule is not None, "where there are trials"
        return self.rule(rows)

    def recipe(self, data: str, method: Method, allow_import: Sequence[str] = ()) -> str:
        """The gin text of what all runs of a method on a data set share, with the first of its settings."""
        from bms_tf.core import recipe  # noqa: F401, registers `train`; late, as a table needs no TensorFlow

        params = {name: as_gin(value) for name, value in (self.params | method.fixed(data)).items()}
        params |= dict(method.settings(data)[0])
        files = [*self.data[data], *self.files, *method.files]
        config.load(files, [f"{name} = {value}" for name, value in params.items()], allow_import)
        return config.as_text()


def _shape(method: Method, data: str) -> str:
    parameters = method.space(data).values()
    return " x ".join(f"{type(parameter).__name__} of {len(parameter.codes)}" for parameter in parameters)


def load(path: str, allow_import: Sequence[str] = ()) -> Study:
    """The study of a gin file. Raises ValueError for what is wrong with it."""
    config.load([path], allow_import=allow_import)
    with errors.in_one_line():
        return Study()  # pyright: ignore[reportCallIssue], gin gives what it needs
