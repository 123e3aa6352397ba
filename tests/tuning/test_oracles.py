"""The oracles on a made-up objective: what they hand out, and that a kill at any moment changes nothing of it."""

import json
from itertools import product

import pytest
from keras_tuner import Objective
from threadpoolctl import threadpool_info

from bms_tf.tuning import oracles
from bms_tf.tuning.space import Choice, Interval, declare, swept

SPACE = {"a": Choice(values=(1, 2, 3)), "b": Choice(values=("x", "y")), "c": Interval(low=0.0, high=1.0, step=0.5)}
ALL = set(product((1, 2, 3), ("'x'", "'y'"), (0.0, 0.5, 1.0)))
OBJECTIVE = [Objective("score", "min")]


def make(kind, folder, space=SPACE, **options):
    oracle = getattr(oracles, kind)(OBJECTIVE, declare(space), 7, **options)
    oracle._set_project_dir(str(folder), "oracle")
    if (folder / "oracle" / "oracle.json").exists():
        oracle.reload()
    return oracle


def next_trial(oracle):
    trial = oracle.create_trial("tuner0")
    return trial if trial.status == "RUNNING" else None


def finish(oracle, trial):
    """`a` alone decides the score; the trials with a = 1 are the best."""
    oracle.update_trial(trial.trial_id, {"score": float(trial.hyperparameters.values["a"])})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def run(oracle, seen):
    """Appends (trial, values) to `seen` for every trial that ends."""
    while (trial := next_trial(oracle)) is not None:
        finish(oracle, trial)
        seen.append((trial.trial_id, tuple(swept(trial.hyperparameters.values).values())))
    return seen


def test_a_grid_has_every_combination_once(tmp_path):
    oracle = make("grid_search", tmp_path)
    seen = run(oracle, [])
    assert oracle.max_trials == len(seen) == 18 and {values for _, values in seen} == ALL


@pytest.mark.parametrize("workers", [2, 3, 18])
def test_a_grid_gives_every_worker_a_trial(workers, tmp_path):
    oracle, seen = make("grid_search", tmp_path), []
    running = [oracle.create_trial(f"tuner{worker}") for worker in range(workers)]
    while running:
        seen += [tuple(swept(trial.hyperparameters.values).values()) for trial in running]
        for trial in reversed(running):
            assert trial.status == "RUNNING", "it has to wait for none of the others"
            finish(oracle, trial)
        running = [oracle.create_trial(f"tuner{worker}") for worker in range(min(workers, 18 - len(seen)))]
    assert len(seen) == 18 and set(seen) == ALL and next_trial(oracle) is None


def test_random_search_has_no_combination_twice(tmp_path):
    oracle = make("random_search", tmp_path)
    oracle.max_trials = 12
    values = [values for _, values in run(oracle, [])]
    assert len(values) == len(set(values)) == 12


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("oracle.json", b"", r"oracle\.json is damaged \(Expecting value"),
        ("oracle.json", b'{"start_order": ["0"]}', r"oracle is damaged \(.*; bring it back from a copy"),
        ("oracle.json", b"\xff", r"oracle\.json is damaged \('utf-8' codec"),
        ("trial_0000/trial.json", b"[1]", r"trial_0000/trial\.json is damaged \(it is no JSON object\)"),
        ("trial_0000/trial.json", b'{"trial_id": "0000", "score": 1}', r"oracle is damaged \(KeyError"),
        ("trial_0000/trial.json", None, r"oracle is damaged \(KeyError\('0000'\)"),
    ],
)
def test_a_damaged_file_of_a_search_is_a_line(tmp_path, file, content, line):
    oracle = make("random_search", tmp_path)
    finish(oracle, next_trial(oracle))
    path = tmp_path / "oracle" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=line):
        make("random_search", tmp_path)


class Killed(Exception):
    pass


@pytest.mark.parametrize("kind", ["grid_search", "random_search"])
def test_a_kill_at_any_write_loses_no_trial_and_counts_none_twice(kind, tmp_path, monkeypatch):
    whole = run(limited(kind, tmp_path / "whole"), [])
    write, left, kills = oracles.write_whole, [0], 0

    def dies(path, text):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        write(path, text)

    monkeypatch.setattr(oracles, "write_whole", dies)
    # A sitting makes n writes and is killed at the next one; n = 1, 2, ... until the search comes to its end. A trial
    # takes five: itself and the oracle when it begins, itself with its score, itself and the oracle when it ends.
    seen, done = [], False
    while not done:
        kills += 1
        left[0] = kills
        try:
            run(limited(kind, tmp_path / "killed"), seen)
            done = True
        except Killed:
            continue
    assert kills > 8, "every one of the five writes was the last at least once"
    # A trial whose end was not yet recorded is handed out again, with its number and values.
    assert sorted(set(seen)) == sorted(whole)
    state = json.loads((tmp_path / "killed" / "oracle" / "oracle.json").read_text())
    assert sorted(state["end_order"]) == sorted(trial for trial, _ in whole), "each once"


def limited(kind, folder):
    oracle = make(kind, folder)
    oracle.max_trials = min(oracle.max_trials or 12, 12)
    return oracle


def test_failures_are_recorded_and_the_search_goes_on(tmp_path):
    oracle = make("grid_search", tmp_path)
    while (trial := next_trial(oracle)) is not None:
        trial.status = "FAILED"
        oracle.end_trial(trial)
    assert [trial.status for trial in oracle.trials.values()] == ["FAILED"] * 18


def test_hours_count_over_all_sittings(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(oracles.time, "monotonic", lambda: now[0])
    ended = 0
    for _ in range(3):  # three sittings of a trial each, and an hour between them that does not count
        oracle = make("grid_search", tmp_path)
        oracle.hours = 1.0
        trial = next_trial(oracle)
        if trial is not None:
            now[0] += 1801.0  # half an hour
            finish(oracle, trial)
            ended += 1
        now[0] += 3600.0
    assert ended == 2 and oracle.seconds == pytest.approx(2 * 1801.0 + 3600.0)


def test_hyperband_trains_the_better_ones_further(tmp_path):
    oracle = make("hyperband", tmp_path, updates_per_epoch=10, epochs=9, factor=3)
    lengths = {}
    while (trial := next_trial(oracle)) is not None:
        finish(oracle, trial)
        values = trial.hyperparameters.values
        lengths.setdefault((values["tuner/bracket"], values["tuner/round"]), []).append(values["tuner/epochs"])
        if "tuner/trial_id" in values:
            parent = oracle.trials[values["tuner/trial_id"]].hyperparameters.values
            assert swept(parent) == swept(values)
            assert parent["tuner/epochs"] == values["tuner/initial_epoch"] < values["tuner/epochs"]
    # Three brackets of 9 epochs: of ceil(3 / 3) * 9 = 9 trials 3 and 1 go on; of ceil(1.5 * 3) = 5, 2; and 3 at full
    # length (Li et al. 2018, table 1, with KerasTuner's rounding up).
    assert {key: (len(epochs), epochs[0]) for key, epochs in lengths.items()} == {
        (2, 0): (9, 1),
        (2, 1): (3, 3),
        (2, 2): (1, 9),
        (1, 0): (5, 3),
        (1, 1): (2, 9),
        (0, 0): (3, 9),
    }
    assert oracle.max_trials == 23


def test_bayesian_search_finds_the_better_half(tmp_path):
    space = {"a": Interval(low=0.0, high=1.0)}
    oracle = make("bayesian", tmp_path, space, initial_trials=3)
    oracle.max_trials = 6
    seen = [values for _, (values,) in run(oracle, [])]
    assert len(seen) == 6 and min(seen[3:]) < 0.05, "the score is `a` itself"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"updates_per_epoch": 0, "epochs": 9}, "hyperband.updates_per_epoch is 0; it must be at least 1"),
        ({"updates_per_epoch": 1, "epochs": 0}, "hyperband.epochs is 0; it must be at least 1"),
        ({"updates_per_epoch": 1, "epochs": 9, "factor": 1}, "hyperband.factor is 1; it must be at least 2"),
    ],
)
def test_a_hyperband_that_cannot_be(tmp_path, options, line):
    with pytest.raises(ValueError) as caught:
        make("hyperband", tmp_path, **options)
    assert str(caught.value).splitlines()[0] == line


def test_bayesian_search_computes_on_one_thread(tmp_path, monkeypatch):
    # Its matrices are small: with a thread for each core a choice took seconds where all cores were busy.
    threads = []
    monkeypatch.setattr(
        oracles.keras_oracles.BayesianOptimizationOracle,
        "populate_space",
        lambda self, trial_id: (
            threads.extend(pool["num_threads"] for pool in threadpool_info()) or {"status": "STOPPED"}
        ),
    )
    make("bayesian", tmp_path).populate_space("0")
    assert set(threads) == {1}
