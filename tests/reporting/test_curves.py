"""Thinned curves and where they lie on a chart, by hand."""

import math

import numpy as np
import pytest

from bms_tf.reporting import curves, runs
from bms_tf.reporting.curves import Axis


def test_a_spike_survives_thinning():
    # 1,000 points in 10 stretches of 100; the spikes are the least value of the second, and the largest of the sixth.
    y = np.zeros(1000)
    y[123], y[577] = -7.0, 9.0
    x, thin = curves.thinned(np.arange(1000), y, 20)
    assert len(x) <= 20 and list(x) == sorted(x)
    assert thin[x == 123] == -7 and thin[x == 577] == 9


def test_a_stretch_that_is_not_finite_stays_a_gap():
    y = np.ones(100)
    y[40:60] = math.nan  # the fifth and sixth stretch of ten
    x, thin = curves.thinned(np.arange(100), y, 20)
    assert np.isnan(thin).sum() == 2 and set(x[np.isnan(thin)]) == {40, 50}


def test_few_points_are_left_alone():
    x, y = np.arange(5), np.arange(5.0)
    assert curves.thinned(x, y, 5) == (x, y)


def test_axes_by_hand():
    assert Axis(0.0, 10.0, 100, 0).at(np.array([0.0, 2.5, 10.0])).tolist() == [100, 75, 0]
    # 10 is halfway between 1 and 100 on a logarithmic axis.
    assert Axis(1.0, 100.0, 0, 50, log=True).at(np.array([10.0])) == pytest.approx(25)
    assert Axis(0.0, 4.0, 0, 100).ticks("{:g}".format) == [(0, "0"), (25, "1"), (50, "2"), (75, "3"), (100, "4")]


def test_a_path_has_gaps_and_crosses():
    x, y = np.array([0.0, 10, 20, 30, 40, 50]), np.array([1.0, 2, math.nan, 3, math.nan, 4])
    assert curves.path(x, y) == "M0.0,1.0L10.0,2.0M27.0,3.0h6m-3,-3v6M47.0,4.0h6m-3,-3v6"


@pytest.mark.parametrize(("values", "log"), [((1, 99), False), ((1, 100), True), ((0, 100), False), ((5, 5), False)])
def test_what_spans_two_decades_is_logarithmic(values, log):
    chart = curves.chart("t", {0: (np.array([1, 2]), np.array(values, float))}, {})
    assert chart.y.log is log
    assert chart.y.low < min(values) and max(values) < chart.y.high and len(chart.y_ticks) >= 2


def test_counts_have_ticks_at_whole_numbers():
    # Of the four stretches that an axis has at most, 2.5 long, every second tick would be no number of modes.
    for low, ticks in ((17.0, ["20", "25"]), (17.5, ["17.5", "20", "22.5", "25"])):
        chart = curves.chart("modes", {0: (np.arange(2), np.array([low, 25.0]))}, {})
        assert [text for _, text in chart.y_ticks] == ticks


def test_charts_of_a_run(make_run):
    charts = curves.charts([runs.read(str(make_run()), "one")])
    assert {player: len(own) for player, own in charts.items()} == {"discriminator": 10, "generator": 10, "": 1}
    (score,) = charts[""]
    assert score.title == "hq_percent" and score.lines[0].x == [10, 20, 30, 40]
    assert score.floors == [(pytest.approx(score.y.at(99.25), abs=0.05), None)]
    # sin(1 / 300 + 0) = 0.003333, logged as 50 and that.
    assert score.lines[0].y[1] == 50.0


def test_floors_of_different_data_bear_their_runs(make_run):
    scores = {"samples": {"hq_percent": 90.0}, "data": {"hq_percent": 99.75}}
    folders = [make_run(), make_run("again", seed=1), make_run("other", data="grid", scores=scores)]
    (score,) = curves.charts([runs.read(str(folder), folder.name) for folder in folders])[""]
    assert score.floors == [
        (pytest.approx(score.y.at(value), abs=0.05), run) for value, run in ((99.25, 0), (99.75, 2))
    ]


def test_what_was_logged_once_is_no_curve(make_run):
    assert curves.charts([runs.read(str(make_run(rows=1)), "one")]) == {}
