"""The rules on hand-made trials."""

import pytest

from bms_tf.studies.rules import BestScore, MixtureRule, is_unstable, why_not


def trial(name="", *, hq=90.0, kl=0.01, ratio=0.7, minor=0.5, modes=25.0, energy=0.01, best=None, **more):
    """A row of the grid, whose data has 25 modes; `best`: the best HQ on the way, if not the last."""
    samples = {
        "hq_percent": hq,
        "mode_kl": kl,
        "std_ratio_median": ratio,
        "minor_axis_ratio_median": minor,
        "modes": modes,
        "energy_distance": energy,
    }
    path = [{"step": 1, "hq_percent": best}] * (best is not None) + [{"step": 2, **samples}]
    return {"name": name, "data": "grid", "samples": samples, "real": {"modes": 25.0}, "path": path} | more


def rule(**more):
    settings = {"mode_kl": {"grid": 0.02}, "std_ratio": 0.55, "minor_axis_ratio": 0.4, "all_modes": True}
    return MixtureRule(**settings | more)


def chosen(trials, **more):
    return {line: row and row["name"] for line, row in rule(**more)(trials).items()}


FAILED = {"name": "failed", "data": "grid", "error": "not finite", "path": []}


def test_the_headline_is_the_best_hq_of_what_is_wide_whole_and_true():
    trials = [
        trial("narrow", hq=99.9, ratio=0.54),
        trial("line", hq=99.8, minor=0.39),
        trial("lost a mode", hq=99.7, modes=24.0),
        trial("uneven", hq=99.6, kl=0.021),
        trial("headline", hq=98.0, kl=0.02, ratio=0.55, minor=0.4),
        trial("less", hq=97.0, kl=0.0, energy=0.001),
        FAILED,
    ]
    assert chosen(trials) == {"HQ": "headline", "energy distance": "less"}
    # Without a true one the best HQ of the wide and whole.
    assert chosen(trials[:4])["HQ"] == "uneven"
    assert chosen(trials[:3])["HQ"] is None
    assert chosen(trials[:3], all_modes=False)["HQ"] == "lost a mode"
    # A data set without a bound takes any mode KL.
    assert chosen(trials, mode_kl={"ring": 0.02})["HQ"] == "uneven"


def test_on_the_1200_d_mixture_there_is_no_width():
    rows = [trial("a", hq=50.0, energy=0.3), trial("b", hq=40.0, energy=0.1), trial("lost", hq=90.0, modes=10.0)]
    for row in rows:
        del row["samples"]["std_ratio_median"], row["samples"]["minor_axis_ratio_median"]
    assert chosen(rows, all_modes=False) == {"HQ": "a", "energy distance": "b"}
    assert [why_not(row) for row in rows] == [None, None, "collapsed"]


def test_where_modes_are_hardly_to_be_had_a_trial_without_them_has_the_second_line():
    lost = [trial("far", modes=0.0, hq=0.0, energy=9.0), trial("near", modes=1.0, hq=0.1, energy=6.0)]
    lost.append(trial("diverged", modes=0.0, ratio=100.0, energy=1.0))
    assert chosen(lost, any_modes=["ring"]) == {"HQ": None, "energy distance": None}
    assert chosen(lost, any_modes=["grid"]) == {"HQ": None, "energy distance": "near"}
    whole = trial("whole", energy=7.0)
    assert chosen([*lost, whole], any_modes=["grid"]) == {"HQ": "whole", "energy distance": "near"}


def test_of_equals_the_first_is_taken():
    assert chosen([trial("a"), trial("b")]) == {"HQ": "a", "energy distance": "a"}


def test_nothing_is_chosen_from_nothing():
    assert chosen([]) == {"HQ": None, "energy distance": None}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (trial(), None),
        (FAILED, "failed"),
        (trial(ratio=1724.2, hq=99.0, energy=0.0), "diverged"),
        (trial(ratio=None, hq=99.0, energy=0.0), "diverged"),  # null in JSON: not a number
        (trial(energy=None, hq=99.0), "diverged"),
        (trial(ratio=0.009, energy=0.0), "collapsed"),
        (trial(modes=12.0, energy=0.0), "collapsed"),
        (trial(modes=13.0), None),
        (trial(hq=44.9, best=90.0, energy=0.0), "unstable"),
        (trial(hq=45.0, best=90.0), None),  # half of its best is not less than half
    ],
)
def test_what_cannot_be_chosen_by_either_line(row, why):
    assert why_not(row) == why
    if why:
        assert set(rule(std_ratio=0.0, minor_axis_ratio=0.0, all_modes=False)([row]).values()) == {None}


@pytest.mark.parametrize("rule", [rule(all_modes=False), BestScore(score="hq_percent", direction="max")])
def test_a_rule_names_the_scores_that_it_reads_of_every_trial(rule):
    read = set()

    class Watched(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    rows = [trial(hq=hq) for hq in (80.0, 90.0)]
    for row in rows:
        row["samples"] = Watched({name: row["samples"][name] for name in ("hq_percent", "mode_kl", "energy_distance")})
    assert None not in rule(rows).values() and read == set(rule.scores)


def test_unstable_looks_at_every_score_on_the_way():
    row = trial(hq=30.0)
    row["path"] = [{"hq_percent": 10.0}, {"hq_percent": None}, {"hq_percent": 61.0}, {"hq_percent": 30.0}]
    assert is_unstable(row)
    assert not is_unstable({"samples": {"frechet": 1.0}, "path": [{"frechet": 100.0}]}), "it has no HQ"


def test_the_best_of_one_score():
    rows = [
        {"name": name, "samples": {"frechet": value}, "path": []}
        for name, value in {"a": 3.0, "b": 1.0, "c": None}.items()
    ]
    rows.append({"name": "d", "error": "out of memory", "path": []})
    assert BestScore(score="frechet", direction="min")(rows)["frechet"]["name"] == "b"
    assert BestScore(score="frechet", direction="max")(rows)["frechet"]["name"] == "a"
    assert BestScore(score="frechet", direction="max")(rows[2:]) == {"frechet": None}
