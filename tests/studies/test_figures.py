"""What the figures of a study are made of, by hand, and that each can be drawn."""

import numpy as np
import pytest
from PIL import Image

from bms_tf.studies import figures
from bms_tf.studies.method import Method
from bms_tf.studies.rules import BestScore
from bms_tf.studies.study import Job, Study
from bms_tf.tuning.space import Choice

COLUMNS = {"hq": "max", "fd": "min", "ratio": None}


def row(method, lam, hq, fd, *, seed=100, data="ring"):
    samples = {"hq": hq, "fd": fd, "ratio": 1.0}
    job = Job(data, method, (("lam", lam),) if lam else (), seed)
    return {**job.as_row(), "samples": samples, "real": {"hq": 99.0, "fd": 0.0}, "path": []}


# 20 runs with an HQ of 0 to 19, and a Frechet distance of 20 to 4, but of the three best ones .17 to .19.
ROWS = [row("ab"[i % 2], i + 1, float(i), 20.0 - i if i < 17 else i / 100) for i in range(20)]


def test_the_best_come_first_and_what_is_no_number_is_left_out():
    rows = [row("a", 1, None, 2.0), row("a", 2, 5.0, None), row("a", 3, 7.0, 1.0)]
    assert [r["setting"]["lam"] for r in figures.ranked(rows, "hq", "max")] == [3, 2]
    assert [r["setting"]["lam"] for r in figures.ranked(rows, "fd", "min")] == [3, 1]


def test_numbers_of_many_sizes_have_a_logarithmic_axis():
    assert figures.scale([0.01, 0.2, 3.0, np.nan]) == {"value": "log"}
    # An energy distance may be below 0: the sizes .001, .01, .02, 500 have the median .015.
    assert figures.scale([-0.001, 0.01, 0.02, 500.0]) == {"value": "symlog", "linthresh": 0.015}
    assert figures.scale([-0.001, 0.01, 0.02, 1.0]) == {"value": "linear"}
    assert figures.scale([0.0, 0.0, 0.0, 25.0]) == figures.scale([np.nan]) == figures.scale([]) == {"value": "linear"}


def test_agreement_on_the_best_15_percent():
    # 15 % of 20 are 3. By HQ the runs 17, 18, 19; their distances .17 to .19 are the least of all: they agree in full.
    assert figures.agreement(COLUMNS, ROWS).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    # With a distance of 5 the run 19 is the fourth, behind the run 16 at 4: two of three in common.
    rows = [*ROWS[:19], row("b", 20, 19.0, 5.0)]
    assert figures.agreement(COLUMNS, rows) == pytest.approx(np.array([[1, 2 / 3], [2 / 3, 1]]))


def test_equals_agree_by_chance_and_not_by_their_order():
    # Ten of 20 runs have all modes, and 3 of these are taken, each with a chance of .3. By distance the best three are
    # 0 and 1, which are among the ten, and 10, which is not: of three .3 + .3 + 0 are in common.
    rows = [row("a", i + 1, 8.0 if i < 10 else 0.0, float(i not in (0, 1, 10))) for i in range(20)]
    for ordered in (rows, rows[::-1], rows[5:] + rows[:5]):
        assert figures.agreement(COLUMNS, ordered) == pytest.approx(np.array([[1, 0.2], [0.2, 1]]))
    # Two are better than eight equals, which share the third place; what is no number is never among the best.
    rows = [row("a", i + 1, 9.0 if i < 2 else 8.0 if i < 10 else None, float(i > 2)) for i in range(20)]
    both = (1 + 1 + 1 / 8) / 3
    assert figures.agreement(COLUMNS, rows) == pytest.approx(np.array([[1, both], [both, 1]]))


def study(methods, **more):
    settings = {"title": "t", "data": {"ring": (), "grid": ()}, "methods": methods, "columns": COLUMNS, "protocol": "p"}
    return Study(**settings | more)


def test_a_line_for_each_method_where_the_parameter_is_swept():
    lam = Choice(values=(1, 2))
    this = study(
        [Method(name="T = 1", params={"lam": lam}), Method(name="T = 2", params={"lam": lam})],
        trials=2,
        rule=BestScore(score="fd", direction="min"),
    )
    rows = [row("T = 1", 1, 10.0, 1.0), row("T = 1", 2, 20.0, 1.0), row("T = 2", 1, 30.0, 1.0)]
    rows += [row("T = 2", 2, None, 1.0), row("T = 1", 1, 99.0, 1.0, seed=0), row("T = 1", 1, 98.0, 1.0, data="grid")]
    lines = figures.Curves(name="c", x="lam", data=("ring",)).lines(this, rows, "hq")
    assert lines == {"T = 1": {1: [10.0], 2: [20.0]}, "T = 2": {1: [30.0]}}


def test_a_line_for_each_data_set_where_the_methods_differ_in_the_parameter():
    this = study([Method(name="T = 1", params={"T": 1}), Method(name="T = 10", params={"T": 10})])
    rows = [row("T = 1", None, float(seed), 1.0, seed=seed) for seed in (0, 1)]
    rows += [row("T = 10", None, 5.0, 1.0, seed=0), row("T = 10", None, 6.0, 1.0, seed=0, data="grid")]
    curves = figures.Curves(name="c", x="T", data=("ring", "grid"))
    assert curves.lines(this, rows, "hq") == {"ring": {1: [0.0, 1.0], 10: [5.0]}, "grid": {10: [6.0]}}
    figure = curves.draw(this, rows)
    assert [axes.get_title() for axes in figure.axes] == ["hq", "fd", "ratio"]
    for axes in figure.axes:  # wide, so on a logarithmic axis, and yet the values themselves stand below it
        assert [label.get_text() for label in axes.get_xticklabels(which="both")] == ["1", "10"]


def test_every_figure_of_a_sweep_is_drawn(tmp_path):
    this = study([Method(name="a"), Method(name="b")])
    folders = {figures.job_of(r): str(tmp_path / str(i)) for i, r in enumerate(ROWS)}
    pictures = tmp_path / "19" / "pictures"  # of the best run by HQ
    pictures.mkdir(parents=True)
    for step, shade in ((10, 0), (20, 255)):
        Image.new("RGB", (8, 8), (shade,) * 3).save(pictures / f"density_{step:07d}.png")
    drawn = figures.drawn(this, ROWS, folders)
    assert set(drawn) == {f"ring_{name}" for name in ("sensitivity", "scatter", "agreement", "best_samples")}
    (axes,) = drawn["ring_best_samples"].axes
    assert axes.get_title().startswith("best hq: 19") and (axes.images[0].get_array() == 255).all(), "the last picture"
    boxes = drawn["ring_sensitivity"].axes
    assert [a.get_xlabel() for a in boxes] == ["hq (more is better)", "fd (less is better)"]
    dots = [line for line in boxes[0].lines if line.get_marker() == "."]
    assert sorted(dots[0].get_xdata()) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")
