"""Figures of a study: how sensitive its methods are, how far its scores agree, scores along a parameter.

Those of trials are as Rosca et al. have them of their sweeps (2017, figures 2, 5, 14 and 15; 2018, figures 7 and 8).
Pyplot is not used: it keeps state and may want a display.
"""

import dataclasses
import glob
import math
import os
from collections.abc import Mapping, Sequence

import gin
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator
from PIL import Image

from bms_tf.core import files
from bms_tf.studies.formats import title
from bms_tf.studies.rules import Row
from bms_tf.studies.study import Columns, Study, job_of
from bms_tf.studies.table import named
from bms_tf.tuning.figures import count, is_wide

BEST = 10  # of a sweep, shown as dots
SHARE = 0.15  # of the runs, for which metrics may agree
BESIDE = 5.0  # inches of a picture that stands beside another


def ranked(rows: Sequence[Row], score: str, direction: str) -> list[Row]:
    """The runs in which `score` is a number, the best first."""
    known = [row for row in rows if math.isfinite(_value(row, score))]
    return sorted(known, key=lambda row: _value(row, score), reverse=direction == "max")


def _value(row: Row, score: str) -> float:
    return files.number(row["samples"].get(score))


def judged(columns: Columns) -> dict[str, str]:
    """The scores of which one direction is better."""
    return {score: direction for score, direction in columns.items() if direction}


def scale(values: Sequence[float]) -> dict:
    """The scale of an axis: logarithmic for numbers of many sizes, but linear around 0 if some are not positive."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    sizes = np.abs(known)
    if is_wide(known):
        return {"value": "log"}
    if max(sizes) > 100 * np.median(sizes) > 0:
        return {"value": "symlog", "linthresh": float(np.median(sizes))}
    return {"value": "linear"}


def sensitivity(columns: Columns, rows: Sequence[Row]) -> Figure:
    """Draws, for each score, a box of each method over its trials, and dots for the best ten.

    A box shows the quartiles, and its whiskers reach to the ends. A line shows the score of real data. Runs in which a
    score is not a number are left out of its box.
    """
    scores, methods = judged(columns), list(dict.fromkeys(row["method"] for row in rows))
    figure = Figure(figsize=(1.5 + 3.2 * len(scores), 1.2 + 0.45 * len(methods)), layout="constrained")
    grid = figure.subplots(1, len(scores), squeeze=False, sharey=True)[0]
    for axes, (score, direction) in zip(grid, scores.items()):
        own = [ranked([row for row in rows if row["method"] == method], score, direction) for method in methods]
        values = [[_value(row, score) for row in runs] for runs in own]
        every = [value for runs in values for value in runs]
        axes.set_xscale(**scale(every))  # first, as it sets the margins
        if axes.get_xscale() == "linear":
            axes.locator_params(axis="x", nbins=5)
            count(axes.xaxis, every)
        axes.xaxis.set_minor_formatter(NullFormatter())
        places = range(len(methods), 0, -1)
        axes.boxplot(values, positions=places, orientation="horizontal", whis=(0, 100), widths=0.6)
        for place, runs in zip(places, values):
            axes.plot(runs[:BEST], [place] * len(runs[:BEST]), "k.", markersize=5)
        real = [files.number(row["real"].get(score)) for row in rows]
        if np.isfinite(real).any():
            axes.axvline(np.nanmean(real), color="C2", linestyle="--", linewidth=1)
        axes.set_xlabel(f"{title(score)} ({'more' if direction == 'max' else 'less'} is better)")
        axes.set_yticks(places, methods)
    return figure


def scatter(columns: Columns, rows: Sequence[Row]) -> Figure:
    """Every score against every other, a dot for each trial, a color for each method."""
    scores, methods = list(judged(columns)), list(dict.fromkeys(row["method"] for row in rows))
    sides = max(1, len(scores) - 1)
    figure = Figure(figsize=(1.5 + 2.6 * sides, 1 + 2.3 * sides), layout="constrained")
    grid = figure.subplots(sides, sides, squeeze=False)
    for i, below in enumerate(scores[1:]):
        for j, left in enumerate(scores[:-1]):
            axes = grid[i, j]
            if j > i:
                axes.set_axis_off()
                continue
            axes.set_xscale(**scale([_value(row, left) for row in rows]))
            axes.set_yscale(**scale([_value(row, below) for row in rows]))
            for number, method in enumerate(methods):
                own = [row for row in rows if row["method"] == method]
                x, y = ([_value(row, score) for row in own] for score in (left, below))
                axes.scatter(x, y, s=12, alpha=0.7, color=colormaps["tab20"](number % 20), label=method)
            if i == sides - 1:
                axes.set_xlabel(title(left))
            if j == 0:
                axes.set_ylabel(title(below))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="upper right", fontsize="small")
    return figure


def agreement(columns: Columns, rows: Sequence[Row]) -> np.ndarray:
    """The share of the best 15 % of the runs by one score that is among the best 15 % by another, [S, S].

    Chance alone gives .15. Many runs may be equal by a score such as the number of modes. Then chance decides which of
    them are among the best, and the share is its average.
    """
    chosen = max(1, round(SHARE * len(rows)))
    best = np.array([_among_best(rows, *item, chosen) for item in judged(columns).items()])
    shares = best @ best.T / chosen
    np.fill_diagonal(shares, best.sum(axis=1) / chosen)  # a score makes one choice, which agrees with itself
    return shares


def _among_best(rows: Sequence[Row], score: str, direction: str, chosen: int) -> np.ndarray:
    """The chance of each run to be among the best `chosen`, [R]; 0 where the score is not a number."""
    values = np.array([_value(row, score) for row in rows]) * (1 if direction == "max" else -1)
    known = np.isfinite(values)
    better = (known & (values > values[:, None])).sum(axis=1)
    equal = (values == values[:, None]).sum(axis=1)
    return known * np.clip((chosen - better) / np.maximum(equal, 1), 0, 1)


def agreement_figure(columns: Columns, rows: Sequence[Row]) -> Figure:
    """`agreement` as a square of numbers."""
    shares, titles = agreement(columns, rows), list(map(title, judged(columns)))
    side = 2 + 0.9 * len(titles)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for (i, j), share in np.ndenumerate(shares):
        axes.text(j, i, f"{share:.2f}", ha="center", va="center", color="white" if share > 0.6 else "black")
    axes.set_xticks(range(len(titles)), titles, rotation=30, ha="right")
    axes.set_yticks(range(len(titles)), titles)
    axes.set_title(f"share of the best {SHARE:.0%} in common", fontsize="medium")
    return figure


def best_samples(columns: Columns, rows: Sequence[Row], folders: Mapping) -> Figure | None:
    """For each score the last picture of its best run, whose folder is `folders[job]`; None where none has any."""
    shown = {}
    for score, direction in judged(columns).items():
        for row in ranked(rows, score, direction)[:1]:
            pictures = sorted(glob.glob(os.path.join(glob.escape(folders[job_of(row)]), "pictures", "*.png")))
            if pictures:
                words = f"best {title(score)}: {_value(row, score):.4g}\n{named(job_of(row))}"
                shown[words] = np.asarray(Image.open(pictures[-1]).convert("RGB"))
    if not shown:
        return None
    wide, high = min(2, len(shown)), -(-len(shown) // 2)
    aspect = max(picture.shape[0] / picture.shape[1] for picture in shown.values())
    figure = Figure(figsize=(BESIDE * wide, (BESIDE * aspect + 0.8) * high), layout="constrained")
    places = figure.subplots(high, wide, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, (words, picture) in zip(places, shown.items()):
        axes.imshow(picture)
        axes.set_title(words, fontsize="small", wrap=True)
    return figure


@gin.configurable("curves", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Curves:
    """Draws scores along a gin parameter.

    Where the methods set the parameter, each data set has a line through the means over the seeds, with deviations.
    Where they sweep it, each method has a line through its trials.

    Args:
        name: of the figure's file.
        x: the gin parameter.
        data: the data sets.
        scores: the scores; () for all columns.
    """

    name: str
    x: str
    data: Sequence[str]
    scores: Sequence[str] = ()

    def draw(self, study: Study, rows: Sequence[Row]) -> Figure:
        scores = self.scores or list(study.columns_of(self.data[0]))
        figure = Figure(figsize=(3.4 * len(scores), 3.2), layout="constrained")
        grid = figure.subplots(1, len(scores), squeeze=False)[0]
        for axes, score in zip(grid, scores):
            lines = self.lines(study, rows, score)
            for number, (label, points) in enumerate(lines.items()):
                x = sorted(points)
                means = [np.mean(points[at]) for at in x]
                bars = [np.std(points[at], ddof=1) if len(points[at]) > 1 else 0 for at in x]
                shade = colormaps["viridis"](number / max(1, len(lines)))
                axes.errorbar(x, means, bars, fmt="o-", markersize=3, capsize=2, color=shade, label=label)
            axes.set(xlabel=self.x.rpartition(".")[2].strip("_"), title=title(score))
            ticks = sorted({at for points in lines.values() for at in points})
            if is_wide(ticks or [0]):
                axes.set_xscale("log")
                axes.set_xticks(ticks, [f"{at:g}" for at in ticks])
                axes.xaxis.set_minor_locator(NullLocator())
            if is_wide([value for points in lines.values() for own in points.values() for value in own] or [0]):
                axes.set_yscale("log")
        grid[0].legend(fontsize="small")
        return figure

    def lines(self, study: Study, rows: Sequence[Row], score: str) -> dict[str, dict[float, list[float]]]:
        """The scores, by line and by value of `x`."""
        lines = {}
        for data in self.data:
            for method in study.methods_on(data):
                fixed = method.fixed(data)
                is_set = self.x in fixed  # by the method, for its runs on seeds; else its trials sweep it
                own = [row for row in rows if (row["data"], row["method"]) == (data, method.name) and "samples" in row]
                for row in own:
                    at = (fixed | row["setting"]).get(self.x)
                    is_trial = row["seed"] == study.tuning_seed
                    if at is not None and is_trial != is_set and math.isfinite(_value(row, score)):
                        points = lines.setdefault(data if is_set else method.name, {})
                        points.setdefault(at, []).append(_value(row, score))
        return lines


def drawn(study: Study, rows: Sequence[Row], folders: Mapping) -> dict[str, Figure]:
    """Every figure by its file's name. `folders`: of the runs, by job."""
    figures = {figure.name: figure.draw(study, rows) for figure in study.figures}
    for data in study.data:
        trials = [row for row in rows if row["data"] == data and row["seed"] == study.tuning_seed and "samples" in row]
        columns = study.columns_of(data)
        if len(trials) > 1 and judged(columns):
            figures[f"{data}_sensitivity"] = sensitivity(columns, trials)
            figures[f"{data}_best_samples"] = best_samples(columns, trials, folders)
            if len(judged(columns)) > 1:
                figures[f"{data}_scatter"] = scatter(columns, trials)
                figures[f"{data}_agreement"] = agreement_figure(columns, trials)
    return {name: figure for name, figure in figures.items() if figure is not None}
