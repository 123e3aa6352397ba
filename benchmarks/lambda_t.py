"""The figures of a sweep of lambda by T: each score against lambda, a line for each T.

    python benchmarks/lambda_t.py ring=runs/ring_lambda_t grid=runs/grid_lambda_t digits=runs/digits_lambda_t_digits

Each folder is one of bms_tf.tune. The trials go to benchmarks/results/lambda_t_NAME.jsonl, the best ones on fresh
seeds to lambda_t_NAME_fresh.jsonl, the figure beside them, and a table is printed; a name alone does the same with the
trials that are recorded there.
"""

import numpy as np
import recorded
from absl import app
from matplotlib import colormaps
from matplotlib.figure import Figure

T, LAMBDA = "BMSVAEGAN.T", "BMSVAEGAN.lambda_"
SHOWN = {
    "modes": "modes",
    "hq_percent": "HQ %",
    "mode_kl": "mode KL",
    "std_ratio_median": "std ratio",
    "classes": "classes",
    "class_kl": "class KL",
    "frechet_classifier_distance": "Frechet distance",
}
LOGARITHMIC = ("mode KL", "std ratio", "class KL", "Frechet distance")


def record(name, folder):
    """Records the trials of a search, and the best ones on fresh seeds."""
    trials = recorded.read_lines(folder / "trials.jsonl")
    recorded.write(f"lambda_t_{name}", [{k: r[k] for k in ("values", "status", "scores", "error")} for r in trials])
    values = {row["trial"]: row["values"] for row in trials}
    fresh = folder / "fresh_seeds.jsonl"
    if fresh.exists():  # else the search had no finalists, or is not at its end
        rows = recorded.read_lines(fresh)
        kept = [{"values": values[row["trial"]], "seed": row["seed"], "scores": row["scores"]} for row in rows]
        recorded.write(f"lambda_t_{name}_fresh", kept)


def table(name, rows, scores):
    """A Markdown table."""
    print(f"\n{name}: {len(rows)} trials\n\n| T | lambda | {' | '.join(scores.values())} |")
    print("|" + " --- |" * (2 + len(scores)))
    for row in sorted(rows, key=lambda row: (row["values"][T], row["values"][LAMBDA])):
        cells = [f"{row['scores'][score]:.4g}" for score in scores]
        print(f"| {row['values'][T]} | {row['values'][LAMBDA]:g} | {' | '.join(cells)} |")


def figure(rows, scores):
    """An axis for each score, from the few samples of T to the many in brighter colors."""
    many = sorted({row["values"][T] for row in rows})
    result = Figure(figsize=(3.4 * len(scores), 3.2), layout="constrained")
    grid = result.subplots(1, len(scores), squeeze=False)[0]
    for axes, (score, title) in zip(grid, scores.items()):
        for t, shade in zip(many, np.linspace(0.1, 0.9, len(many))):
            points = sorted((r["values"][LAMBDA], r["scores"][score]) for r in rows if r["values"][T] == t)
            axes.plot(*zip(*points), "o-", markersize=3, color=colormaps["viridis"](shade), label=f"T = {t}")
        axes.set(xscale="log", xlabel="lambda", title=title)
        if title in LOGARITHMIC:
            axes.set_yscale("log")
    grid[0].legend()
    return result


def main(argv):
    """Draws what is named."""
    for name, folder in recorded.named(argv, "ring=runs/ring_lambda_t"):
        if folder:
            record(name, folder)
        rows = [row for row in recorded.read(f"lambda_t_{name}") if row["status"] == "COMPLETED"]
        scores = {score: title for score, title in SHOWN.items() if all(score in row["scores"] for row in rows)}
        table(name, rows, scores)
        figure(rows, scores).savefig(recorded.RESULTS / f"lambda_t_{name}.png", dpi=110)


if __name__ == "__main__":
    app.run(main)
