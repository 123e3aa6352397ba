"""What a study file may say, and what its settings are."""

from pathlib import Path

import pytest

from bms_tf.core import errors, gin_text
from bms_tf.studies.method import Method, as_gin, step_beyond
from bms_tf.studies.rules import BestScore, MixtureRule
from bms_tf.studies.study import Study, load
from bms_tf.tuning.space import Choice, Interval

TINY = (Path(__file__).parent / "tiny.gin").read_text()
LOG = Interval(low=1e-3, high=1e-2, step=10.0, log=True)


def test_the_settings_are_every_combination():
    # Log steps of 2 from 1 to 4 give 1, 2, 4; linear ones of 3 from 0 to 3 give 0, 3.
    lam, count = Interval(low=1.0, high=4.0, step=2.0, log=True), Interval(low=0, high=3, step=3)
    method = Method(name="a", params={"T": 10, "n": count, "lam": lam})
    values = [tuple(value for _, value in setting) for setting in method.settings("ring")]
    assert values == [(1.0, 0), (2.0, 0), (4.0, 0), (1.0, 3), (2.0, 3), (4.0, 3)], "in the order of their names"
    assert method.fixed("ring") == {"T": 10}


def test_one_step_beyond_an_end():
    # One step below 1 is 0.5, above 4 is 8; one above 3 is 6.
    lam, count = Interval(low=1.0, high=4.0, step=2.0, log=True), Interval(low=0, high=3, step=3)
    method = Method(name="a", params={"n": count, "lam": lam})
    best = (("lam", 4.0), ("n", 3))
    assert method.beyond("ring", best, [(0, -1), (1, 0), (1, -1)]) == [
        (("lam", 4.0), ("n", 6)), (("lam", 0.5), ("n", 3)), (("lam", 8.0), ("n", 3))
    ]  # fmt: skip
    assert method.beyond("ring", best, []) == []


def test_a_value_is_the_same_however_it_was_reached():
    # 3e-4 * 10^(1/2) twice is 3.0000000000000005e-3 in floats.
    steps = Interval(low=3e-4, high=3e-3, step=10**0.5, log=True)
    assert [dict(s)["a"] for s in Method(name="a", params={"a": steps}).settings("")][-1] == 0.003
    assert step_beyond(LOG, 0) == 1e-4 and step_beyond(LOG, -1) == 0.1
    whole = step_beyond(Interval(low=2, high=8, step=2, log=True), 0)  # 2 / 2
    assert whole == 1 and isinstance(whole, int), "T = 1.0 is refused"


def test_a_data_set_may_have_its_own_values():
    method = Method(name="a", params={"lam": LOG, "r1": 1.0}, on={"grid": {"lam": Choice(values=(5, 6)), "r1": 2.0}})
    assert [dict(s) for s in method.settings("grid")] == [{"lam": 5}, {"lam": 6}]
    assert method.fixed("grid") == {"r1": 2.0} and method.fixed("ring") == {"r1": 1.0}


def test_gin_text():
    assert as_gin(["@density", 3]) == "[@density, 3]"
    assert as_gin("%updates") == "%updates" and as_gin("bfloat16") == "'bfloat16'" and as_gin((4,)) == "(4,)"


def test_the_recipe_of_a_method_is_complete_with_the_first_of_its_settings(tmp_path):
    (tmp_path / "tiny.gin").write_text(TINY)
    study = load(str(tmp_path / "tiny.gin"))
    values = gin_text.values(study.recipe("ring", study.method("VAE")))
    assert values["BMSVAEGAN.T"] == 1 and values["adam.learning_rate"] == 0.001 and values["train.samples"] == 50
    assert "study.title" not in values


def study(**changes):
    """One that is right but for `changes`."""
    method = Method(name="a", params={"rate": LOG})
    settings = {
        "title": "t",
        "data": {"ring": ("gin/ring.gin",)},
        "methods": [method],
        "columns": {"modes": "max"},
        "protocol": "p",
        "trials": 2,
        "rule": BestScore(score="modes", direction="max"),
    }
    return Study(**settings | changes)


def method(name="b", **more):
    return Method(name=name, **{"params": {"rate": LOG}} | more)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"data": {}}, "must not be empty"),
        ({"seeds": ()}, "must not be empty"),
        ({"methods": [method(), method()]}, "two of one name"),
        ({"seeds": (0, 100)}, "the seeds (0, 100) hold 100, the seed of tuning"),
        ({"seeds": (1, 1)}, "each once"),
        ({"seeds": (-1,)}, "none negative"),
        ({"methods": [method(seeds=(100,))]}, "the seeds (100,) hold 100, the seed of tuning"),
        ({"trials": 0}, "go together"),
        ({"rule": None}, "go together"),
        (
            {"rule": BestScore(score="mods", direction="max")},
            "study.rule reads 'mods', which is no column of ring; did you mean 'modes'?",
        ),
        (
            {"rule": MixtureRule(std_ratio=0.5, minor_axis_ratio=0.0, all_modes=True)},
            "study.rule reads 'hq_percent', which is no column of ring; there are modes",
        ),
        (
            {"trials": 0, "rule": None, "methods": [method(params={"T": Choice(values=(1, 2))})]},
            "study.trials is 0, but the space of 'b' on ring has 2 settings",
        ),
        (
            {"evaluations": {"ring": ("--metrics=kid,frechet", "--metrics=frechet --features=dinov2")}},
            "study.evaluations of ring has frechet twice; its scores would have one name",
        ),
        ({"trials": 3}, "study.trials is 3, but the space of 'a' on ring has 2 settings"),
        ({"methods": [method(params={"rate": Interval(low=1, high=2)})]}, "swept on ring has no step"),
        (
            {"methods": [method(), method("c", params={"rate": Choice(values=(1, 2))})]},
            "the space of 'c' on ring is Choice of 2, that of 'b' Interval of 2",
        ),
        ({"methods": [method(published={"rign": {}})]}, "'b' sets something for 'rign'; did you mean 'ring'?"),
        ({"methods": [method(paper={"gird": {}})]}, "something for 'gird'; there are ring"),
        ({"methods": [method(on={"gird": {}})]}, "something for 'gird'; there are ring"),
        ({"evaluations": {"gird": ()}}, "the study sets something for 'gird'; there are ring"),
        (
            {"rule": MixtureRule(std_ratio=0.5, minor_axis_ratio=0.0, all_modes=True, mode_kl={"rnig": 0.03})},
            "the study sets something for 'rnig'; did you mean 'ring'?",
        ),
        ({"methods": [method(data=("gird",))]}, "something for 'gird'; there are ring"),
        (
            {"data": {"ring": ("gin/ring.gin",), "grid": ("gin/grid.gin",)}, "methods": [method(data=("grid",))]},
            "study.data has 'ring', on which no method runs",
        ),
        ({"methods": [method(published={"ring": {"mode": 8}})]}, "a published 'mode'; did you mean 'modes'?"),
        ({"methods": [method(paper={"ring": {"rate": 0.5}})]}, "0.001, 0.01, lacks the paper's own 0.5"),
        ({"methods": [method(paper={"ring": {"lambda_": 1}})]}, "lambda_, of its paper, is not swept on ring"),
    ],
)
def test_a_wrong_study_says_so_in_one_line(changes, line):
    study()
    with pytest.raises(ValueError) as caught, errors.in_one_line():
        study(**changes)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_of_a_larger_space_every_method_gets_a_sample_with_its_papers_setting():
    lam, rate = Choice(values=(1, 5, 10, 50)), Choice(values=(1, 2, 3))
    methods = [
        Method(name="a", params={"lam": lam, "rate": rate}, paper={"ring": {"lam": 50, "rate": 3}}),
        Method(name="b", params={"lam": lam}),
    ]
    this = study(methods=methods, trials=4)
    sample = this.settings("ring", methods[0])
    assert len(set(sample)) == 4 and (("lam", 50), ("rate", 3)) in sample
    assert sample == this.settings("ring", methods[0]), "always the same one"
    assert set(sample) < set(methods[0].settings("ring"))
    assert this.settings("ring", methods[1]) == methods[1].settings("ring")


def test_a_choice_may_be_of_anything_that_gin_reads(tmp_path):
    (tmp_path / "tiny.gin").write_text(TINY)
    this = load(str(tmp_path / "tiny.gin"))
    hidden = Choice(values=((8,), (4, 4)))
    values = gin_text.values(this.recipe("ring", Method(name="c", params={"BMSVAEGAN.T": 1, "mlp.hidden": hidden})))
    assert values["mlp.hidden"] == (8,)


def test_there_is_no_such_method():
    with pytest.raises(ValueError, match="no method 'A'; there are a"):
        study().method("A")
