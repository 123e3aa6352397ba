"""The table of a study: ours beside the published values, a line for each setting that was chosen."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bms_tf.core import gin_text
from bms_tf.core.files import number
from bms_tf.studies import plan, rules
from bms_tf.studies.method import Method, one_of
from bms_tf.studies.rules import Row
from bms_tf.studies.study import Columns, Job, Study, job_of
from bms_tf.tuning.space import shown

BETTER, EQUAL, WORSE = "better", "equal", "worse"
REAL_DATA = "real data"
UNFINISHED = "not finished so far"
# In the protocol of an evaluation, what may differ between two runs: synthetic data are drawn by the run's seed.
OF_A_RUN = ("seed", "ema", "signature", "data", "data_sha256", "floor")


class Cell(NamedTuple):
    """One score of one line: our value of each seed, the published value, and how they compare (None: no mark)."""

    values: tuple[float, ...]
    published: tuple[float, ...] = ()  # (), (mean,) or (mean, deviation)
    mark: str | None = None

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float | None:
        """The standard deviation of a sample; None for one seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


class Line(NamedTuple):
    """A line of a table. Its `cells` are by score; none where no trial was chosen, or no run has scores."""

    data: str
    method: str
    best_in: str = ""  # what its setting was the best of its method's trials in
    setting: Mapping = {}
    seeds: Sequence[int] = ()
    cells: Mapping[str, Cell] = {}
    published: Mapping[str, tuple[float, ...]] = {}
    unstable: int = 0  # how many of its runs
    failed: int = 0
    trials: int = 0  # of its method on this data set
    unfit: Mapping[str, int] = {}  # how many of the trials could not be chosen, by reason
    protocol: str = ""


def mark(values: Sequence[float], published: Sequence[float], direction: str | None) -> str | None:
    """How our values compare: better or worse where the two intervals mean ± deviation are apart, else equal.

    A published value without a deviation is a point. A value of ours that is not a number makes us worse. There is no
    mark (None) without a direction, without a published value, and for one seed, whose spread is not known.
    """
    if direction is None or not published or len(values) < 2:
        return None
    if not np.all(np.isfinite(values)):
        return WORSE
    gain = (np.mean(values) - published[0]) * (1 if direction == "max" else -1)
    if abs(gain) <= np.std(values, ddof=1) + sum(published[1:]):
        return EQUAL
    return BETTER if gain > 0 else WORSE


def rows(study: Study, records: Iterable[Row]) -> list[Line]:
    """The table's lines, as far as the records go, in the study's order. Each data set ends with a line of real data.

    Once some method has a line on a data set, all others have one too, which may say that they are not finished. Raises
    ValueError where the runs on one data set were scored by different protocols, or lack a score of the table.
    """
    done = {job_of(row): row for row in records}
    lines = []
    for data in study.data:
        scored = [row for job, row in done.items() if job.data == data and "samples" in row]
        if scored:
            check_protocols(data, {named(job_of(row)): protocol_of(row) for row in scored})
        for row in scored:
            check_scores(study.columns_of(data), row["samples"], named(job_of(row)))
        trials, chosen = plan.trials(study, data, done), plan.chosen(study, data, done)
        found = []
        for method in study.methods_on(data):
            own = [done[job] for job in trials[method.name] if job in done]
            found += _of_method(study, data, method, own, chosen.get(method.name), done)
        if any(line.best_in != UNFINISHED for line in found):
            lines += found
        reported = {row["seed"]: row for row in scored if row["seed"] != study.tuning_seed}
        if reported:
            cells = {score: Cell(_values(reported.values(), "real", score)) for score in study.columns_of(data)}
            lines.append(Line(data, REAL_DATA, seeds=tuple(reported), cells=cells, protocol=study.protocol))
    return lines


def _of_method(
    study: Study, data: str, method: Method, trials: Sequence[Row], chosen: Mapping[str, Job] | None, done: plan.Done
) -> list[Line]:
    """The lines of a method on a data set, one for each setting. A method without a setting has a line that says why.

    `chosen` is None before the trials have ended.
    """
    published = {score: _pair(value) for score, value in method.published.get(data, {}).items()}
    unfit = Counter(filter(None, map(rules.why_not, trials)))
    about = {"published": published, "trials": len(trials), "unfit": dict(unfit), "protocol": study.protocol}
    if chosen == {}:
        return [Line(data, method.name, "none could be chosen", **about)]
    lines, chosen = [], chosen or {}
    for setting in dict.fromkeys(job.setting for job in chosen.values()):
        best_in = ", ".join(line for line, job in chosen.items() if job.setting == setting)
        jobs = {seed: Job(data, method.name, setting, seed) for seed in study.seeds_of(method)}
        found = {seed: done.get(job) for seed, job in jobs.items()}
        scored = {seed: row for seed, row in found.items() if row and "samples" in row}
        failed = sum(row is not None for row in found.values()) - len(scored)
        if not scored and not failed:
            continue
        cells = {}
        for score, direction in study.columns_of(data).items() if scored else ():
            values = _values(scored.values(), "samples", score)
            theirs = published.get(score, ())
            cells[score] = Cell(values, theirs, mark(values, theirs, direction))
        unstable = sum(map(rules.is_unstable, scored.values()))
        lines.append(
            Line(
                data,
                method.name,
                best_in,
                dict(setting),
                tuple(scored),
                cells,
                unstable=unstable,
                failed=failed,
                **about,
            )
        )
    return lines or [Line(data, method.name, UNFINISHED, published=published)]


def _pair(published: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(published) if isinstance(published, Sequence) else (published,)


def _values(records: Iterable[Row], column: str, score: str) -> tuple[float, ...]:
    return tuple(number(row[column].get(score)) for row in records)


def check_scores(columns: Columns, scores: Collection[str], whose: str):
    """Raises ValueError where a score of the table is missing."""
    for score in columns:
        if score not in scores:
            raise ValueError(f"study.columns: no metric of {whose} gives {score!r}{one_of(score, scores)}")


def protocol_of(row: Row) -> dict[str, str]:
    """What decides how a run was scored, in training and by `bms_tf.evaluate`."""
    own = protocol("\n".join(row["config"]))
    for line in row.get("evaluations", ()):
        said = {key: value for key, value in line["protocol"].items() if key not in OF_A_RUN}
        own |= {f"{key} of {line['name']}": repr(value) for key, value in said.items()}
    return own


def protocol(text: str) -> dict[str, str]:
    """What of a run's gin text decides how it is scored: how many samples, against what, in which features, by which
    metrics, and the settings of all that these refer to."""
    values = gin_text.values(text)
    names = ["train.samples", "train.floor_split", "train.metrics", "train.features"]
    for name in names:  # which grows
        used = {
            part
            for reference in gin_text.references(values.get(name))
            for part in (reference, reference.split("/")[-1])
        }
        names += [other for other in values if other.rpartition(".")[0] in used and other not in names]
    return {name: repr(values[name]) for name in names if name in values}


def check_protocols(data: str, protocols: Mapping[str, Mapping[str, str]]):
    """Raises ValueError where two runs on a data set, given by name, are scored in different ways."""
    first = next(iter(protocols))
    for name, other in protocols.items():
        one = protocols[first]
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                raise ValueError(
                    f"different protocols in the table of {data}: {key} is {one.get(key, 'not set')} in {first}, and "
                    f"{other.get(key, 'not set')} in {name}"
                )


# In words.


def named(job: Job) -> str:
    """A run, for people."""
    return ", ".join([job.data, job.method, *filter(None, [shown(dict(job.setting))]), f"seed {job.seed}"])


def scored(row: Row, columns: Iterable[str]) -> str:
    """The scores of a run, for people."""
    return ", ".join(f"{score} {number(row['samples'].get(score, math.nan)):.4g}" for score in columns)
