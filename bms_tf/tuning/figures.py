"""Figures of a search. Pyplot is not used: it keeps state and may want a display.

`directions`: objective -> "min" or "max"; `rows`: the completed trials, as `trials.jsonl` has them.
"""

import itertools
from collections.abc import Mapping, Sequence

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bms_tf.tuning.space import short_names

Row = dict


def scores(names: Sequence[str], directions: Mapping[str, str], rows: Sequence[Row]) -> Figure:
    """Draws every objective against every parameter of `names`, with a dot for each trial."""
    figure = Figure(figsize=(3.2 * len(names), 2.8 * len(directions)), layout="constrained")
    grid = figure.subplots(len(directions), len(names), squeeze=False, sharex="col", sharey="row")
    for column, (name, short) in zip(grid.T, short_names(names).items()):
        active = [row for row in rows if name in row["values"]]
        values = [row["values"][name] for row in active]
        for axes, objective in zip(column, directions):
            axes.scatter(values, [row["scores"][objective] for row in active], s=14, alpha=0.7)
        axes.set_xlabel(short)
        if len(set(values)) == 1:
            axes.set_xticks(values[:1])  # around one value, matplotlib's own ticks are fractions of it
        elif values and is_wide(values):
            axes.set_xscale("log")
        else:
            count(axes.xaxis, values)
    for axes, (objective, direction) in zip(grid[:, 0], directions.items()):
        axes.set_ylabel(f"{objective} ({direction})")
        count(axes.yaxis, [row["scores"][objective] for row in rows])
    return figure


def is_wide(values: Sequence) -> bool:
    """Whether numbers want a logarithmic axis."""
    return all(isinstance(v, (int, float)) for v in values) and min(values) > 0 and max(values) >= 10 * min(values)


def count(axis: Axis, values: Sequence):
    """Puts ticks at whole numbers alone where all values are whole, as numbers of modes are."""
    if values and all(isinstance(v, (int, float)) and float(v).is_integer() for v in values):
        axis.set_major_locator(MaxNLocator("auto", integer=True))


def pareto(directions: Mapping[str, str], rows: Sequence[Row], front: Sequence[Row]) -> Figure:
    """Draws the two objectives against each other, with the trials' names on the front."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    x, y = directions
    front = sorted(front, key=lambda row: row["scores"][x])

    def places(shown: Sequence[Row]) -> list[list[float]]:
        return [[row["scores"][name] for row in shown] for name in directions]

    axes.scatter(*places(rows), s=14, alpha=0.5, label="trials")
    axes.plot(*places(front), marker="o", color="C1", label="Pareto front")
    up = 4 if directions[x] == directions[y] else -4  # a front of one max and one min rises; names stand across it
    for row, (right, above) in zip(front, itertools.cycle([(4, up), (-4, -up)])):
        axes.annotate(
            row["trial"],
            (row["scores"][x], row["scores"][y]),
            textcoords="offset points",
            xytext=(right, above),
            ha="left" if right > 0 else "right",
            va="bottom" if above > 0 else "top",
        )
    axes.margins(0.12)
    axes.set(xlabel=f"{x} ({directions[x]})", ylabel=f"{y} ({directions[y]})")
    count(axes.xaxis, [row["scores"][x] for row in rows])
    count(axes.yaxis, [row["scores"][y] for row in rows])
    axes.legend()
    return figure


def score_name(directions: Mapping[str, str]) -> str:
    """The name of a trial's score: its objective, or several with their signs, whose sum is better the less it is."""
    if len(directions) == 1:
        return next(iter(directions))
    smaller, larger = ([name for name in directions if directions[name] == way] for way in ("min", "max"))
    return f"score ({' - '.join([' + '.join(smaller), *larger]).strip()})"


def fresh_seeds(score: str, rows: Sequence[Row], runs: Sequence[Row]) -> Figure:
    """Draws the scores of the finalists on fresh seeds, `runs`, beside those that chose them. `score` names them."""
    trials = list(dict.fromkeys(run["trial"] for run in runs))
    chosen_by = {row["trial"]: row["score"] for row in rows}
    scored = [run for run in runs if run["score"] is not None]
    figure = Figure(figsize=(2 + 1.3 * len(trials), 3.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter([trials.index(run["trial"]) for run in scored], [run["score"] for run in scored], label="fresh seeds")
    axes.scatter(range(len(trials)), [chosen_by[t] for t in trials], marker="_", s=400, color="C1", label="when tuned")
    axes.set_xticks(range(len(trials)), [f"trial {trial}" for trial in trials])
    axes.set(ylabel=score, xlim=(-0.6, len(trials) - 0.4))
    axes.legend()
    return figure
