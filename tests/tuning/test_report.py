"""What the end of a search says, from rows made by hand."""

from types import SimpleNamespace

import pytest

from bms_tf.tuning import figures
from bms_tf.tuning.figures import is_wide
from bms_tf.tuning.report import pareto_front, ranked, say_ties, time_left


def test_the_time_left():
    oracle = SimpleNamespace(
        end_order=["0", "1"], ongoing_trials={"worker1": "2"}, max_trials=10, hours=None, seconds=100
    )
    search = SimpleNamespace(oracle=oracle, finalists=2, fresh_seeds=(101, 102))
    # 2.5 trials in 100 s are 40 s each; 7.5 are left, and 4 fresh runs: 460 s.
    assert time_left(SimpleNamespace(search=search)) == "0:07:40 left"
    oracle.hours = 0.05  # 180 s, of which 80 are left, and then the fresh runs
    assert time_left(SimpleNamespace(search=search)) == "0:04:00 left"


def test_a_trial_whose_folder_was_cleared_away_is_not_ranked():
    oracle = SimpleNamespace(objective=SimpleNamespace(direction="max"))
    rows = [{"status": "COMPLETED", "score": score} for score in (1.0, None, 2.0)] + [{"status": "FAILED", "score": 9}]
    setting = SimpleNamespace(search=SimpleNamespace(oracle=oracle))
    assert [row["score"] for row in ranked(setting, rows)] == [2.0, 1.0]


def test_the_pareto_front():
    # hq up, kl down. b is beaten by a in both, d by a in kl with the same hq; a, c and e beat each other in one each.
    scores = {"a": (90, 0.1), "b": (80, 0.2), "c": (95, 0.3), "d": (90, 0.2), "e": (70, 0.0)}
    rows = [{"trial": name, "scores": {"hq": hq, "kl": kl}} for name, (hq, kl) in scores.items()]
    assert [row["trial"] for row in pareto_front({"hq": "max", "kl": "min"}, rows)] == ["a", "c", "e"]
    # Of two that are the same neither beats the other.
    assert len(pareto_front({"hq": "max", "kl": "min"}, [rows[0], rows[0]])) == 2


@pytest.mark.parametrize(
    ("values", "wide"),
    [([1, 10], True), ([1, 9], False), ([0, 10], False), ([-1.0, 100.0], False), (["x", "y"], False)],
)
def test_a_decade_has_a_logarithmic_axis(values, wide):
    assert is_wide(values) is wide


def test_counts_have_whole_ticks():
    rows = [{"trial": str(i), "values": {"T": 1 + i}, "scores": {"modes": 7.0 + i, "kl": 0.1 * i}} for i in range(2)]
    modes, kl = figures.scores(["T"], {"modes": "max", "kl": "min"}, rows).axes
    for axis in (modes.yaxis, modes.xaxis):
        assert all(float(tick).is_integer() for tick in axis.get_ticklocs())
    assert not all(float(tick).is_integer() for tick in kl.yaxis.get_ticklocs())
    (front,) = figures.pareto({"kl": "min", "modes": "max"}, rows, rows).axes
    assert all(float(tick).is_integer() for tick in front.yaxis.get_ticklocs())


@pytest.mark.parametrize("value", [10, 0.3, "relu"])
def test_a_parameter_of_one_value_has_one_tick(value):
    rows = [{"trial": str(i), "values": {"T": value}, "scores": {"kl": 0.1 * i}} for i in range(3)]
    figure = figures.scores(["T"], {"kl": "min"}, rows)
    figure.canvas.draw()
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == [str(value)]


@pytest.mark.parametrize(
    ("directions", "name"),
    [
        ({"hq": "max"}, "hq"),
        ({"hq": "max", "kl": "min"}, "score (kl - hq)"),
        ({"kl": "min", "energy": "min"}, "score (kl + energy)"),
        ({"hq": "max", "modes": "max"}, "score (- hq - modes)"),
    ],
)
def test_a_score_of_several_objectives_has_their_names(directions, name):
    assert figures.score_name(directions) == name
    rows = [{"trial": "0", "score": 1.0}]
    (axes,) = figures.fresh_seeds(figures.score_name(directions), rows, rows).axes
    assert axes.get_ylabel() == name


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([2.0, 2.0, 3.0], "the trials 0 and 1 have the same score; the one that began first counts as the best\n"),
        ([2.0, 3.0, 3.0], ""),
        ([], ""),
    ],
)
def test_a_tie_for_the_best_is_said(scores, said, capsys):
    say_ties([{"trial": str(i), "score": score} for i, score in enumerate(scores)])
    assert capsys.readouterr().out == said
