"""Which runs are needed: trials, wider ones where a best value is at an edge, seeds of what was chosen."""

import dataclasses

from bms_tf.studies import plan
from bms_tf.studies.method import Method
from bms_tf.studies.rules import BestScore
from bms_tf.studies.study import Job, Study
from bms_tf.tuning.space import Choice, Interval

RATES = Interval(low=1.0, high=4.0, step=2.0, log=True)  # 1, 2, 4


def study(**more):
    methods = [Method(name=name, params={"rate": RATES, "n": Choice(values=(1, 2))}) for name in "ab"]
    settings = {
        "title": "t",
        "data": {"ring": (), "grid": ()},
        "methods": methods,
        "columns": {"fd": "min"},
        "protocol": "p",
        "trials": 6,
        "seeds": (0, 1),
        "rule": BestScore(score="fd", direction="min"),
    }
    return Study(**settings | more)


def finished(jobs, score):
    return {job: {**job.as_row(), "samples": {"fd": score(job)}, "path": []} for job in jobs}


def rate(job):
    return dict(job.setting)["rate"]


def test_the_trials_come_first_and_nothing_else_is_known():
    jobs = plan.plan(study(), {})
    assert len(jobs) == 2 * 2 * 6 and {job.seed for job in jobs} == {100}
    assert [job.data for job in jobs] == ["ring"] * 12 + ["grid"] * 12


def test_a_best_value_inside_widens_nothing():
    done = finished(plan.plan(study(), {}), lambda job: abs(rate(job) - 2.0))
    left = [job for job in plan.plan(study(), done) if job not in done]
    # Both methods of both data sets, on two seeds: of each its best, the first of equals.
    assert len(left) == 8 and {rate(job) for job in left} == {2.0} and {dict(j.setting)["n"] for j in left} == {1}
    # A data set has all its runs before the next, and on it each seed for all methods before the next.
    assert [(job.data, job.seed) for job in left] == [(d, s) for d in ("ring", "grid") for s in (0, 0, 1, 1)]


def test_a_best_value_at_an_edge_is_followed_once_by_all_methods_of_the_data_set():
    # On the ring method a is best at 4, the upper edge, with n = 2; b is best inside, at 2 with n = 1; so are both on
    # the grid.
    def score(job):
        if (job.data, job.method) == ("ring", "a"):
            return -rate(job) - 0.1 * dict(job.setting)["n"]
        return abs(rate(job) - 2.0) + 0.1 * dict(job.setting)["n"]

    declared = plan.plan(study(), {})
    done = finished(declared, score)
    assert plan.edges(study(), "ring", done) == [(0, -1)] and plan.edges(study(), "grid", done) == []
    wider = [job for job in plan.plan(study(), done) if job not in done and job.seed == 100]
    # One step further, 8: one more trial for each, with the rest of its own best setting.
    assert [(job.data, job.method, *job.setting) for job in wider] == [
        ("ring", "a", ("n", 2), ("rate", 8.0)), ("ring", "b", ("n", 1), ("rate", 8.0))
    ]  # fmt: skip
    # The ring's chosen wait for them, the grid's do not.
    assert {job.data for job in plan.plan(study(), done) if job.seed != 100} == {"grid"}
    # 8 is better still; the space is widened once, and so 16 is not tried.
    done |= finished(wider, score)
    left = [job for job in plan.plan(study(), done) if job not in done]
    assert {(job.data, job.method, rate(job)) for job in left} == {
        ("ring", "a", 8.0), ("ring", "b", 2.0), ("grid", "a", 2.0), ("grid", "b", 2.0)
    }  # fmt: skip
    assert plan.trials(study(), "ring", done)["a"] == [*declared[:6], wider[0]]


def test_a_data_set_has_its_seeds_before_the_trials_of_the_next():
    done = finished([job for job in plan.plan(study(), {}) if job.data == "ring"], lambda job: abs(rate(job) - 2.0))
    left = [job for job in plan.plan(study(), done) if job not in done]
    assert [(job.data, job.seed) for job in left] == [("ring", s) for s in (0, 0, 1, 1)] + [("grid", 100)] * 12


def later_study():
    one, other = study().methods
    return study(methods=[dataclasses.replace(one, later=True), other])


def test_a_method_that_is_later_is_tuned_when_the_others_have_their_seeds_on_that_data_set():
    def score(job):
        return abs(rate(job) - 2.0)

    this = later_study()
    declared = plan.plan(this, {})
    assert [(job.data, job.method) for job in declared] == [
        (data, method) for data in ("ring", "grid") for method in "ba" for _ in range(6)
    ]
    done = finished([job for job in declared if job.method == "b"], score)
    left = [job for job in plan.plan(this, done) if job not in done]
    first = [("b", 0), ("b", 1)] + [("a", 100)] * 6
    assert [(job.data, job.method, job.seed) for job in left] == [(d, *run) for d in ("ring", "grid") for run in first]
    assert plan.chosen(this, "ring", done).keys() == {"b"}
    # 12 trials and 2 seeds on each data set of a; the two seeds on each of b.
    assert plan.left(this, done) == {(d, m): n for d in ("ring", "grid") for m, n in (("a", 8), ("b", 2))}


def test_a_method_that_is_later_widens_the_space_for_all():
    # b is best inside, at 2; a, which is later, at 4, the upper edge.
    def score(job):
        return -rate(job) if job.method == "a" else abs(rate(job) - 2.0)

    this, done = later_study(), {}
    for _ in range(20):
        left = [job for job in plan.plan(this, done) if job not in done]
        if left and left[0].method == "b" and rate(left[0]) == 8.0:
            assert "b" not in plan.chosen(this, left[0].data, done), "not before its own trial there"
        done |= finished(left[:6], score)
    # Nothing was left out by the order: the trials and the seeds are those of a study without it.
    assert plan.plan(this, done) and set(plan.plan(this, done)) == set(plan.plan(study(), done)) == set(done)
    assert [rate(job) for job in plan.trials(this, "ring", done)["b"][6:]] == [8.0]


def test_both_ends_may_be_followed():
    done = finished(plan.plan(study(), {}), lambda job: -rate(job) if job.method == "a" else rate(job))
    assert plan.edges(study(), "ring", done) == [(0, -1), (0, 0)]
    assert [rate(job) for job in plan.trials(study(), "ring", done)["a"][6:]] == [8.0, 0.5]


def test_a_method_of_which_nothing_can_be_chosen_has_as_many_trials_from_the_middle_of_its_space():
    done = finished(plan.plan(study(), {}), lambda job: None if job.method == "a" else rate(job))
    # The fourth of (1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2) has n = 2; b is best at 1, the lower edge.
    assert [job.setting for job in plan.trials(study(), "ring", done)["a"][6:]] == [(("n", 2), ("rate", 0.5))]


def test_a_setting_that_is_best_in_two_lines_is_run_once_and_headlines_come_before_other_lines():
    def rule(trials):
        best = BestScore(score="fd", direction="min")(trials)["fd"]
        same = trials and trials[0]["method"] == "a"
        return {"HQ": best, "energy": best if same else trials[0] if trials else None}

    this = study(rule=rule, data={"ring": ()})
    done = finished(plan.plan(this, {}), lambda job: abs(rate(job) - 2.0))
    left = [(j.method, rate(j), j.seed) for j in plan.plan(this, done) if j not in done]
    assert left == [
        ("a", 2.0, 0), ("b", 2.0, 0), ("a", 2.0, 1), ("b", 2.0, 1),
        ("b", 1.0, 0), ("b", 1.0, 1),
    ]  # fmt: skip
    assert plan.chosen(this, "ring", done)["a"].keys() == {"HQ", "energy"}


def test_a_method_of_which_no_trial_can_be_chosen_has_no_runs():
    done = finished(plan.plan(study(), {}), lambda job: None if job.method == "a" else abs(rate(job) - 2.0))
    left = [job for job in plan.plan(study(), done) if job not in done]
    assert {job.method for job in left} == {"b"}
    assert plan.chosen(study(), "ring", done)["a"] == {}


def test_a_study_without_tuning_runs_every_method_as_it_is():
    this = study(methods=[Method(name="a"), Method(name="b")], trials=0, rule=None, seeds=(0,))
    assert plan.plan(this, {}) == [Job(d, m, (), 0) for d in ("ring", "grid") for m in "ab"]


def test_what_is_left_counts_settings_that_are_not_chosen_yet():
    # 6 trials, and one line on two seeds.
    assert plan.left(study(), {}) == {(d, m): 8 for d in ("ring", "grid") for m in "ab"}
    done = finished(plan.plan(study(), {}), lambda job: abs(rate(job) - 2.0))
    assert plan.left(study(), done)["ring", "a"] == 2
