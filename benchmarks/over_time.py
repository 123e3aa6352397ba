"""The scores of a long run over its steps, with those of real data.

    python benchmarks/over_time.py stacked_digits=runs/stacked_digits image_folder=runs/image_folder

Each folder is that of a finished run. Its scores, and how many steps it took a second between them, go to
benchmarks/results/over_time_NAME.jsonl, the figure beside them; a name alone draws what is recorded there.
"""

import json

import recorded
from absl import app
from matplotlib.figure import Figure


def record(name, folder):
    """The rows with scores of a run, then the scores of data."""
    final = json.loads((folder / "scores.json").read_text())
    shown = [score for score in final["data"] if not score.removeprefix("class_")[0].isdigit()]
    rows, before = [], {"step": 0, "seconds": 0.0}
    for row in recorded.read_lines(folder / "metrics.jsonl"):
        if row["seconds"] < before["seconds"]:  # resumed: its clock began anew
            before = {"step": row["step"], "seconds": row["seconds"]}
        if all(score in row for score in shown):
            passed = row["seconds"] - before["seconds"]
            rate = (row["step"] - before["step"]) / passed if passed > 0 else None
            rows.append({"step": row["step"], "steps_per_second": rate, **{score: row[score] for score in shown}})
            before = row
    rows.append({"step": None, **{score: final["data"][score] for score in shown}})
    recorded.write(f"over_time_{name}", rows)


def figure(rows):
    """An axis for each score; the dashed line is real data."""
    *rows, data = rows
    scores = [score for score in data if score != "step"]
    result = Figure(figsize=(2.9 * len(scores), 2.8), layout="constrained")
    for axes, score in zip(result.subplots(1, len(scores), squeeze=False)[0], scores):
        axes.plot([row["step"] for row in rows], [row[score] for row in rows], "o-", markersize=3)
        axes.axhline(data[score], linestyle="--", color="gray")
        if score.endswith(("kl", "distance")):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set(xlabel="step", title=score.replace("_", " "))
    return result


def main(argv):
    """Records and draws what is named."""
    for name, folder in recorded.named(argv, "stacked_digits=runs/stacked_digits"):
        if folder:
            record(name, folder)
        figure(recorded.read(f"over_time_{name}")).savefig(recorded.RESULTS / f"over_time_{name}.png", dpi=80)


if __name__ == "__main__":
    app.run(main)
