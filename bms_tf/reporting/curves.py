"""Curves of losses and scores: thinned out, and laid out as the paths of small SVG charts."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from bms_tf.core.files import number
from bms_tf.reporting.runs import Run

POINTS = 60_000  # the most in all curves of a page together
MOST = 400  # the most in one curve
WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 10, 8, HEIGHT - 22
NOT_DRAWN = ("step", "generator_updates", "seconds")

Tick = tuple[float, str]


@dataclasses.dataclass(frozen=True)
class Axis:
    """Puts the values from `low` to `high` between the pixels `begin` and `end`, on a logarithmic scale with `log`."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def at(self, values: np.ndarray | float) -> np.ndarray:
        scale = np.log if self.log else np.asarray
        low, high = scale(self.low), scale(self.high)
        return self.begin + (self.end - self.begin) * (scale(values) - low) / (high - low)

    def ticks(self, spell, whole: bool = False) -> list[Tick]:
        """Where ticks lie, and what `spell` makes of their values; with `whole` at whole numbers alone."""
        locator = LogLocator(numticks=5) if self.log else MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], integer=whole)
        inside = [v for v in locator.tick_values(self.low, self.high) if self.low <= v <= self.high * (1 + 1e-9)]
        return [(round(float(self.at(v)), 1), spell(0.0 if abs(v) < 1e-12 else v)) for v in inside]


@dataclasses.dataclass(frozen=True)
class Line:
    """One run's curve. Its values `x`, `y` (None: not finite) are read off; SVG draws its `path`."""

    run: int
    x: Sequence[int]
    y: Sequence[float | None]
    path: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """One term or score of all runs.

    `floors` are the heights of the values of real data, each with the number of a run on these data. The number is None
    where all runs have the same data.
    """

    title: str
    lines: Sequence[Line]
    x: Axis
    y: Axis
    floors: Sequence[tuple[float, int | None]]

    @property
    def readings(self) -> dict:
        """The values for the page's script."""
        x = self.x
        lines = [{"run": line.run, "x": line.x, "y": line.y} for line in self.lines]
        return {"low": x.low, "high": x.high, "begin": x.begin, "end": x.end, "lines": lines}

    @property
    def x_ticks(self) -> list[Tick]:
        return self.x.ticks(EngFormatter(sep=""))

    @property
    def y_ticks(self) -> list[Tick]:
        values = [value for line in self.lines for value in line.y if value is not None]
        return self.y.ticks(lambda value: f"{value:.4g}", whole=all(value.is_integer() for value in values))


def charts(runs: Sequence[Run]) -> dict[str, list[Chart]]:
    """The charts of each player's terms, and under "" those of the scores. What was logged once is no curve."""
    columns = [_columns(run) for run in runs]
    names = list(dict.fromkeys(name for own in columns for name in own))
    count = max(2, min(MOST, POINTS // max(1, sum(map(len, columns)))))
    groups: dict[str, list[Chart]] = {}
    for name in names:
        player, _, term = name.rpartition("/")
        curves = {i: thinned(*own[name], count) for i, own in enumerate(columns) if name in own}
        if any(len(x) > 1 for x, _ in curves.values()):
            groups.setdefault(player, []).append(chart(term, curves, _floors(runs, name)))
    return groups


def _columns(run: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each name, the generator updates at which it was logged, and its values, NaN where one is not finite."""
    found: dict[str, tuple[list, list]] = {}
    for row in run.log:
        for name, value in row.items():
            if name not in NOT_DRAWN and (value is None or isinstance(value, (int, float))):
                x, y = found.setdefault(name, ([], []))
                x.append(row["generator_updates"])
                y.append(number(value))
    return {name: (np.array(x), np.array(y, float)) for name, (x, y) in found.items()}


def _floors(runs: Sequence[Run], name: str) -> dict[float, int | None]:
    """A score's values of real data, each with the first run on these data. It is None where all runs have the same."""
    several = len({run.real_data for run in runs}) > 1
    found: dict[float, int | None] = {}
    for i, run in enumerate(runs):
        value = run.scores["data"].get(name) if run.scores else None
        if value is not None:
            found.setdefault(value, i if several else None)
    return found


def thinned(x: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` points, the least and the largest value of each stretch, so that no spike is lost.

    A stretch without a finite value keeps one point that is NaN.
    """
    if len(x) <= count:
        return x, y
    kept = set()
    for stretch in np.array_split(np.arange(len(x)), count // 2):
        finite = stretch[np.isfinite(y[stretch])]
        kept |= {finite[np.argmin(y[finite])], finite[np.argmax(y[finite])]} if len(finite) else {stretch[0]}
    indices = np.array(sorted(kept))
    return x[indices], y[indices]


def chart(title: str, curves: Mapping[int, tuple[np.ndarray, np.ndarray]], floors: Mapping[float, int | None]) -> Chart:
    """The chart of one term, from its curves by run. `floors`: the values of real data, see `Chart`."""
    xs = np.concatenate([x for x, _ in curves.values()])
    ys = np.concatenate([*(y for _, y in curves.values()), np.array(list(floors), float)])
    ys = ys[np.isfinite(ys)]
    x_axis = Axis(*_apart(xs.min(), xs.max()), LEFT, RIGHT)
    low, high, log = _with_room(ys.min(), ys.max()) if len(ys) else (0.0, 1.0, False)
    y_axis = Axis(low, high, BOTTOM, TOP, log)
    lines = [
        Line(
            run,
            x.tolist(),
            [float(f"{value:.4g}") if math.isfinite(value) else None for value in y],
            path(x_axis.at(x), np.array([y_axis.at(v) if math.isfinite(v) else math.nan for v in y])),
        )
        for run, (x, y) in curves.items()
    ]
    heights = [(round(float(y_axis.at(value)), 1), run) for value, run in floors.items()]
    return Chart(title, lines, x_axis, y_axis, heights)


def _apart(low: float, high: float) -> tuple[float, float]:
    """The limits of an axis, moved apart where they are equal."""
    room = 0.0 if high > low else abs(low) / 10 or 1.0
    return float(low - room), float(high + room)


def _with_room(low: float, high: float) -> tuple[float, float, bool]:
    """The limits of an axis of values, with some room, and whether it is logarithmic, as over a factor of a hundred."""
    low, high = _apart(low, high)
    if low > 0 and high >= 100 * low:
        room = (high / low) ** 0.04
        return low / room, high * room, True
    room = 0.04 * (high - low)
    return low - room, high + room, False


def path(x: np.ndarray, y: np.ndarray) -> str:
    """Pixels as the `d` of an SVG path, with gaps where y is NaN. A point alone is a cross."""
    is_drawn = np.isfinite(y)
    begins = is_drawn & ~np.append(False, is_drawn[:-1])
    is_alone = begins & ~np.append(is_drawn[1:], False)
    words = []
    for i in np.flatnonzero(is_drawn):
        if is_alone[i]:
            words.append(f"M{x[i] - 3:.1f},{y[i]:.1f}h6m-3,-3v6")
        else:
            words.append(f"{'M' if begins[i] else 'L'}{x[i]:.1f},{y[i]:.1f}")
    return "".join(words)
