"""Rules that pick a setting among trials. A rule is a part of its study, and is written before the trials are run.

A rule is called with the trials of one method on one data set. It says for each line of the table which trial it
chooses. Of equals it takes the first. If it has `scores`, it reads them of every trial; if it has `data`, it has bounds
of these data sets.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import gin

from bms_tf.core.files import number

Row = dict  # a line of runs.jsonl

POINT = 0.01  # a median std ratio below it: the modes have collapsed to points
DIVERGED = 100.0  # and above it: the samples have left the data


def is_unstable(row: Row, score: str = "hq_percent") -> bool:
    """Whether the run ended with less than half of its best `score` on the way. False for a run without that score."""
    best = max((number(scores[score]) for scores in row["path"] if scores.get(score) is not None), default=math.nan)
    return number(row["samples"].get(score)) < best / 2


def why_not(row: Row) -> str | None:
    """Why no rule may choose a trial, in a word. None if a rule may.

    - "failed": it has no scores.
    - "diverged": the energy distance is not finite, or the median std ratio is not a number or at least `DIVERGED`.
    - "collapsed": the median std ratio is below `POINT`, or less than half of the data's modes are there.
    - "unstable": see `is_unstable`.

    Scores that a trial does not have say nothing.
    """
    if "samples" not in row:
        return "failed"
    scores = {name: number(value) for name, value in row["samples"].items()}
    ratio = scores.get("std_ratio_median", 1.0)
    if not math.isfinite(scores.get("energy_distance", 0.0)) or not ratio < DIVERGED:
        return "diverged"
    if ratio < POINT or ("modes" in scores and scores["modes"] < number(row["real"]["modes"]) / 2):
        return "collapsed"
    return "unstable" if is_unstable(row) else None


@gin.configurable("mixture_rule", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MixtureRule:
    """Picks two lines for a method on a 2-D mixture, HQ and energy distance, among the trials that `why_not` leaves.

    The first line has the best HQ of the trials that meet all bounds. Where none meets that of the mode KL, it has the
    best HQ of those that meet the others. A bound of a score that a trial does not have is met, as on the 1200-D
    mixture. The second line has the least energy distance, and on some data sets may have lost modes.

    Args:
        mode_kl: by data set, the most mode KL. A data set that is not named has no bound.
        std_ratio: the least median std ratio.
        minor_axis_ratio: the least median minor axis ratio.
        all_modes: whether a trial must have as many modes as the data.
        any_modes: the data sets on which a collapsed trial may have the second line, as hardly any other is to be had.
    """

    mode_kl: dict[str, float] = dataclasses.field(default_factory=dict)
    std_ratio: float
    minor_axis_ratio: float
    all_modes: bool
    any_modes: Sequence[str] = ()
    scores: ClassVar = ("hq_percent", "mode_kl", "energy_distance")

    @property
    def data(self) -> Sequence[str]:
        return (*self.mode_kl, *self.any_modes)

    def __call__(self, trials: Sequence[Row]) -> Mapping[str, Row | None]:
        verdicts = [(trial, why_not(trial)) for trial in trials]
        sound = [trial for trial, why in verdicts if why is None]
        lost = [trial for trial, why in verdicts if why == "collapsed" and trial["data"] in self.any_modes]
        wide = [trial for trial in sound if self._is_wide(trial)]
        true = [t for t in wide if _score(t, "mode_kl") <= self.mode_kl.get(t["data"], math.inf)]
        return {
            "HQ": max(true or wide, key=lambda trial: _score(trial, "hq_percent"), default=None),
            "energy distance": min(sound + lost, key=lambda trial: _score(trial, "energy_distance"), default=None),
        }

    def _is_wide(self, trial: Row) -> bool:
        least = {"std_ratio_median": self.std_ratio, "minor_axis_ratio_median": self.minor_axis_ratio}
        if self.all_modes:
            least["modes"] = number(trial["real"]["modes"])
        return all(_score(trial, name) >= value for name, value in least.items() if name in trial["samples"])


@gin.configurable("best_score", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BestScore:
    """Picks one line, the best `score` of the trials that `why_not` leaves."""

    score: str
    direction: Literal["min", "max"]

    @property
    def scores(self) -> Sequence[str]:
        return (self.score,)

    def __call__(self, trials: Sequence[Row]) -> Mapping[str, Row | None]:
        known = [t for t in trials if why_not(t) is None and math.isfinite(number(t["samples"].get(self.score)))]
        best = max if self.direction == "max" else min
        return {self.score: best(known, key=lambda trial: _score(trial, self.score), default=None)}


def _score(trial: Row, name: str) -> float:
    return number(trial["samples"][name])
