"""What a search shows: a line for each trial, and at its end a table, the best gin file, plots and JSON lines."""

import json
import math
import os
import shlex
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from keras_tuner.engine.trial import Trial

from bms_tf.core import gin_text
from bms_tf.core.files import read_text, write_whole
from bms_tf.tuning import figures, fresh
from bms_tf.tuning.progress import Progress
from bms_tf.tuning.search import Setting
from bms_tf.tuning.space import short_names, shown, swept

Row = dict  # a line of a JSON lines file
ALONE = "tuner0"  # KerasTuner's name for the one process of a search without workers


def attach(setting: Setting, progress: Progress):
    """Has `progress` show each trial, with a line when it begins and ends, and keeps `trials.jsonl`."""
    oracle, score = setting.search.oracle, figures.score_name(setting.search.directions)

    def name(trial: Trial) -> str:
        number = oracle.start_order.index(trial.trial_id) + 1
        of = f" of {oracle.max_trials}" if oracle.max_trials else ""
        return f"trial {trial.trial_id} ({number}{of}): {shown(swept(trial.hyperparameters.values))}"

    def started(trial: Trial, tuner_id: str):
        on = "" if tuner_id == ALONE else f" on {tuner_id}"
        progress.say(f"{name(trial)}: running{on}")
        progress.begin(setting.run_dir(trial.trial_id), f"trial {trial.trial_id}{on}")

    def ended(trial: Trial):
        progress.end(setting.run_dir(trial.trial_id))
        rows = trial_rows(setting)
        write_lines(setting, "trials.jsonl", rows)
        row = next(row for row in rows if row["trial"] == trial.trial_id)
        scores = ", ".join(f"{each} {row['scores'].get(each, math.nan):.4g}" for each in setting.search.directions)
        what = f"failed: {row['error']}" if row["score"] is None else scores
        best = next((f"; best {score} {r['score']:.4g} (trial {r['trial']})" for r in ranked(setting, rows)), "")
        progress.say(f"{name(trial)}: {what}{best}; {time_left(setting)}")

    if setting.search.whole and setting.search.whole > oracle.max_trials:
        print(f"tune.trials ends the search after the first {oracle.max_trials} of its {setting.search.whole} trials")
    if len(setting.search.directions) > 1:
        print(f"a lower {score} is better: the objectives are added up, with a minus for each that should be large")
    if oracle.max_trials:
        fresh_runs = setting.search.finalists * len(setting.search.fresh_seeds)
        total = f", and {fresh_runs} runs of the best on fresh seeds" if fresh_runs else ""
        print(f"{oracle.max_trials} trials{total}; {len(oracle.end_order)} trials are done", flush=True)
    oracle.started, oracle.ended = started, ended


def time_left(setting: Setting) -> str:
    """An estimate of the time left: the trials left are as long as those so far, but end with the hours.

    Trials that are running count as half done, and the fresh runs as trials.
    """
    search, oracle, left = setting.search, setting.search.oracle, []
    done = len(oracle.end_order) + len(oracle.ongoing_trials) / 2
    each = oracle.seconds / done
    if oracle.max_trials:
        left.append(each * (oracle.max_trials - done))
    if oracle.hours:
        left.append(max(0.0, 3600 * oracle.hours - oracle.seconds))
    minutes, seconds = divmod(round(min(left) + each * search.finalists * len(search.fresh_seeds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"


def finish(setting: Setting, jobs: Sequence[fresh.Job]):
    """Writes and prints the results of a search and of its fresh runs `jobs`.

    Raises ValueError if no trial has a score.
    """
    directions = setting.search.directions
    rows = trial_rows(setting)
    best = ranked(setting, rows)
    runs = [{"trial": job.trial_id, "seed": job.seed} | outcome(setting, job.run_dir) for job in jobs]
    print_table(setting, [*best, *(row for row in rows if row not in best)])
    say_ties(best)
    write_lines(setting, "trials.jsonl", rows)
    if not best:
        raise ValueError(f"no trial of {setting.folder} has a score; trials.jsonl has their errors")
    drawn = {"scores": figures.scores(list(setting.search.space), directions, best)}
    if len(directions) == 2:
        front = pareto_front(directions, best)
        write_lines(setting, "pareto.jsonl", front)
        drawn["pareto"] = figures.pareto(directions, best, front)
    if runs:
        write_lines(setting, "fresh_seeds.jsonl", runs)
        drawn["fresh_seeds"] = figures.fresh_seeds(figures.score_name(directions), best, runs)
    for name, figure in drawn.items():
        figure.savefig(os.path.join(setting.folder, f"{name}.png"), dpi=110)
    write_winner(setting, best, runs)


def write_winner(setting: Setting, best: Sequence[Row], runs: Sequence[Row]):
    """`best.gin`: of the finalists the one with the best mean over the fresh seeds, or the first of `best`."""
    search, means, score = setting.search, {}, figures.score_name(setting.search.directions)
    for trial_id in dict.fromkeys(run["trial"] for run in runs):
        scores = [run["score"] for run in runs if run["trial"] == trial_id]
        if None not in scores:
            means[trial_id] = np.mean(scores)
            deviation = f" ± {np.std(scores, ddof=1):.2g}" if len(scores) > 1 else ""
            print(f"trial {trial_id} on fresh seeds: {score} {means[trial_id]:.4g}{deviation}")
    if means:
        winner = better(setting)(means, key=means.get)
        why = f"mean {score} {means[winner]:.6g} over the seeds {', '.join(map(str, search.fresh_seeds))}"
    else:
        winner = best[0]["trial"]
        why = f"{score} {best[0]['score']:.6g} on the seed of tuning, {search.seed}"
    trial = search.oracle.trials[winner]
    path = os.path.join(setting.folder, "best.gin")
    own = [f"--gin_file={path}", f"--run_dir={os.path.join(setting.folder, 'best')}"]
    own += [f"--allow_import={module}" for module in setting.allow_import]
    command = f"python -m bms_tf.train {shlex.join(own)}"
    head = f"trial {winner}: {shown(swept(trial.hyperparameters.values))}; {why}"
    recipe = fresh.recipe(setting, trial)
    length = gin_text.values(recipe)["train.generator_updates"]
    keeps = (
        f"It is as long as in the search, {length} generator updates. At another length, other values may be better."
    )
    write_whole(path, f"# The best of {len(search.oracle.trials)}, {head}.\n#   {command}\n# {keeps}\n{recipe}")
    print(f"the best is {head}\n{keeps}\n{command}")


def better(setting: Setting) -> Callable:
    return max if setting.search.oracle.objective.direction == "max" else min


# Rows.


def outcome(setting: Setting, folder: str) -> Row:
    """A run's scores ({} if it has none), what KerasTuner compares (None without it), and its error (or None)."""
    scores, error = (read_if_there(os.path.join(folder, name)) for name in ("scores.json", "error.txt"))
    scores, score = json.loads(scores)["samples"] if scores else {}, None
    if scores and not error:
        try:
            score = setting.search.objective_of(scores)[setting.search.oracle.objective.name]
        except ValueError as not_finite:
            error = str(not_finite)
    return {"run_dir": os.path.relpath(folder, setting.folder), "scores": scores, "score": score, "error": error}


def read_if_there(path: str) -> str | None:
    return read_text(path).strip() if os.path.exists(path) else None


def trial_rows(setting: Setting) -> list[Row]:
    """Every trial in the order of their starts."""
    trials = (setting.search.oracle.trials[trial_id] for trial_id in setting.search.oracle.start_order)
    return [
        {"trial": trial.trial_id, "status": trial.status, "values": swept(trial.hyperparameters.values)}
        | outcome(setting, setting.run_dir(trial.trial_id))
        for trial in trials
    ]


def ranked(setting: Setting, rows: Sequence[Row]) -> list[Row]:
    """The completed trials, the best first. One whose folder was cleared away has no score any more."""
    completed = [row for row in rows if row["status"] == "COMPLETED" and row["score"] is not None]
    return sorted(completed, key=lambda row: row["score"], reverse=better(setting) is max)


def say_ties(best: Sequence[Row]):
    """A line where several trials share the first place of `best`."""
    tied = [row["trial"] for row in best if row["score"] == best[0]["score"]]
    if len(tied) > 1:
        names = f"{', '.join(tied[:-1])} and {tied[-1]}"
        print(f"the trials {names} have the same score; the one that began first counts as the best")


def pareto_front(directions: Mapping[str, str], rows: Sequence[Row]) -> list[Row]:
    """The trials that no other one beats: better in one objective, and as good in the rest."""
    signs = {name: 1 if direction == "min" else -1 for name, direction in directions.items()}
    costs = np.array([[sign * row["scores"][name] for name, sign in signs.items()] for row in rows])
    dominated = [np.any(np.all(costs <= cost, axis=1) & np.any(costs < cost, axis=1)) for cost in costs]
    return [row for row, is_dominated in zip(rows, dominated) if not is_dominated]


def write_lines(setting: Setting, name: str, rows: Sequence[Row]):
    write_whole(os.path.join(setting.folder, name), "".join(json.dumps(row) + "\n" for row in rows))


def print_table(setting: Setting, rows: Sequence[Row]):
    """A line per row: the trial, its values, and its objectives or its error."""
    search = setting.search
    names = short_names(search.space)
    lines = [["trial", *names.values(), *search.directions]]
    for row in rows:
        values = [row["values"].get(name, "") for name in search.space]
        scores = [row["scores"].get(name, "") for name in search.directions]
        cells = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in (row["trial"], *values, *scores)]
        lines.append(cells[: len(cells) - len(scores)] + [row["error"]] if row["error"] else cells)
    widths = [max(len(line[i]) for line in lines if i < len(line) - 1 or not i) + 2 for i in range(len(lines[0]) - 1)]
    for line in lines:
        print("".join(cell.ljust(width) for cell, width in zip(line, [*widths, 0])))
