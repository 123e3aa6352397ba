"""Marks by hand, the lines of a table, and the files it is written to."""

import csv
import dataclasses
import io
import math

import pytest

from bms_tf.studies import formats, plan, table
from bms_tf.studies.method import Method
from bms_tf.studies.rules import BestScore
from bms_tf.studies.study import Job, Study
from bms_tf.studies.table import Cell
from bms_tf.tuning.space import Choice


@pytest.mark.parametrize(
    ("values", "published", "direction", "mark"),
    [
        # The mean of 70 and 80 is 75, their deviation sqrt(50) = 7.07.
        ((70.0, 80.0), (67.0,), "max", "better"),  # 8 above
        ((70.0, 80.0), (68.0,), "max", "equal"),  # 7 above
        ((70.0, 80.0), (67.0, 1.0), "max", "equal"),  # 8 above, 8.07 apart at most
        ((70.0, 80.0), (84.0, 1.0), "max", "worse"),  # 9 below
        ((70.0, 80.0), (84.0, 1.0), "min", "better"),
        ((70.0, 80.0), (67.0,), "min", "worse"),
        ((8.0, 8.0), (8.0,), "max", "equal"),
        ((8.0, math.nan), (8.0,), "max", "worse"),
        ((8.0,), (7.0,), "max", None),  # one seed has no spread
        ((8.0, 8.0), (), "max", None),
        ((8.0, 8.0), (7.0,), None, None),
    ],
)
def test_marks(values, published, direction, mark):
    assert table.mark(values, published, direction) == mark


CONFIG = ["train.samples = 2500", "train.metrics = [@m]", "m.std = 0.1"]


def study(**more):
    methods = [
        Method(name="A", params={"lr": Choice(values=(1, 2))}, published={"ring": {"hq_percent": (67.0, 0.5)}}),
        Method(name="B", params={"lr": Choice(values=(1, 2))}),
        Method(name="C", params={"lr": Choice(values=(1, 2))}),
    ]
    settings = {
        "title": "t",
        "data": {"ring": ()},
        "methods": methods,
        "columns": {"hq_percent": "max", "fd": "min"},
        "protocol": "2,500 samples",
        "trials": 2,
        "seeds": (0, 1),
        "rule": BestScore(score="fd", direction="min"),
    }
    return Study(**settings | more)


def row(job, hq, fd, *, best=0.0, config=CONFIG):
    samples, real = {"hq_percent": hq, "fd": fd}, {"hq_percent": 99.0, "fd": 0.0}
    path = [{"step": 1, "hq_percent": best}, {"step": 2, **samples}]
    return {**job.as_row(), "samples": samples, "real": real, "path": path, "config": config}


def job(method, lr, seed):
    return Job("ring", method, (("lr", lr),), seed)


RECORDS = [
    row(job("A", 1, 100), 60.0, 2.0),
    row(job("A", 2, 100), 50.0, 1.0),
    row(job("B", 1, 100), 40.0, 1.0),
    row(job("B", 2, 100), 10.0, 0.5, best=90.0),  # unstable
    {**job("C", 1, 100).as_row(), "error": "not finite", "path": []},
    {**job("C", 2, 100).as_row(), "error": "not finite", "path": []},
    row(job("A", 2, 0), 70.0, 1.0),
    row(job("A", 2, 1), 80.0, 3.0, best=99.0),
    row(job("B", 1, 1), 30.0, 3.0, best=99.0),
    {**job("B", 1, 0).as_row(), "error": "out of memory", "path": []},
]


def test_the_lines_of_a_table():
    a, b, c, real = table.rows(study(), RECORDS)
    assert (a.method, a.setting, a.seeds, a.best_in, a.trials, a.unfit) == ("A", {"lr": 2}, (0, 1), "fd", 2, {})
    assert a.cells["hq_percent"].mean == 75.0 and a.cells["hq_percent"].deviation == pytest.approx(50**0.5)
    assert a.cells["hq_percent"].mark == "better", "8 above, 7.07 + 0.5 apart at most"
    assert a.cells["fd"].mark is None and a.unstable == 0 and a.protocol == "2,500 samples"
    assert (b.setting, b.seeds, b.failed, b.unstable, b.unfit) == ({"lr": 1}, (1,), 1, 1, {"unstable": 1})
    assert b.cells["hq_percent"] == table.Cell((30.0,))
    assert (c.best_in, c.unfit) == ("none could be chosen", {"failed": 2})
    assert real.method == "real data" and real.cells["hq_percent"].values == (99.0, 99.0) and real.seeds == (0, 1)


def test_no_line_before_all_have_been_tuned():
    assert table.rows(study(), RECORDS[:5]) == []


def test_what_is_not_finished_stands_in_the_table_of_what_is():
    first, second, third = study().methods
    this = study(methods=[first, dataclasses.replace(second, later=True), third])
    a, b, c, real = table.rows(this, [r for r in RECORDS if r["method"] != "B"])
    assert (a.cells["hq_percent"].mark, b.best_in, b.cells, b.trials) == ("better", "not finished so far", {}, 0)
    # One that was chosen, and has no seeds yet.
    published = dataclasses.replace(first, published={"ring": {"fd": 3}})
    waits, b, c = table.rows(study(methods=[published, second, third]), [*RECORDS[:6], RECORDS[-1]])
    assert (waits.best_in, waits.published) == ("not finished so far", {"fd": (3,)}) and b.failed == 1


def test_different_protocols_in_one_table():
    other = ["train.samples = 1000", *CONFIG[1:]]
    with pytest.raises(
        ValueError, match=r"different protocols in the table of ring: train.samples is 2500 in .*A, .*1000"
    ):
        table.rows(study(), [*RECORDS[:-3], row(job("A", 2, 1), 80.0, 3.0, config=other)])
    metric = [*CONFIG[:2], "m.std = 0.2"]
    with pytest.raises(ValueError, match=r"m.std is 0.1 in .*, and 0.2 in .*seed 1"):
        table.rows(study(), [*RECORDS[:-3], row(job("A", 2, 1), 80.0, 3.0, config=metric)])
    network = ["train.features = @inception", "inception.weights = {!r}"]
    mine, other = ([*CONFIG, *(line.format(weights) for line in network)] for weights in ("a.pb", "b.pb"))
    records = [r | {"config": mine} for r in RECORDS[:-3]]
    with pytest.raises(ValueError, match=r"inception.weights is 'a.pb' in .*, and 'b.pb' in .*seed 1"):
        table.rows(study(), [*records, row(job("A", 2, 1), 80.0, 3.0, config=other)])
    lr = [*CONFIG, "adam.learning_rate = 3.0"]  # which is no part of the protocol
    table.rows(study(), [*RECORDS[:-3], row(job("A", 2, 1), 80.0, 3.0, config=lr)])


def test_a_run_without_a_score_of_the_table():
    this = study(columns={"hq_percent": "max", "fd": "min", "modes": "max"})
    with pytest.raises(
        ValueError, match="no metric of ring, A, lr=1, seed 100 gives 'modes'; there are hq_percent, fd"
    ):
        table.rows(this, RECORDS)


def test_the_files():
    texts = formats.written(study(), table.rows(study(), RECORDS), ["One note.", "Two: 50 %."])
    line = next(line for line in texts["md"].splitlines() if line.startswith("| A |"))
    assert line == "| A | fd | 67 ± 0.5 | 75.0 ± 7.1 ▲ | 2 ± 1.41 | lr=2 | 0 1 | 0 of 2 |  |"
    assert "| B | fd |  | 30.0 | 3 | lr=1 | 1 (1 failed) | 1 unstable of 2 | 1 of 1 |" in texts["md"]
    assert "| C | none could be chosen |  |  |  |  |  | 2 failed of 2 |" in texts["md"]
    assert texts["md"].endswith("\n\nOne note.\nTwo: 50 %.\n") and texts["txt"].endswith("\n\nOne note.\nTwo: 50 %.\n")
    assert r"75.0 $\pm$ 7.1 $\blacktriangle$" in texts["tex"] and r"HQ \%" in texts["tex"]
    assert texts["tex"].count(r" \\") == 5 and texts["tex"].endswith("\n% One note.\n% Two: 50 \\%.\n")
    widths = {text.index("75.0") for text in texts["txt"].splitlines() if "75.0" in text}
    head = next(text for text in texts["txt"].splitlines() if text.startswith("method"))
    assert widths == {head.index("HQ %", head.index("HQ %") + 1)}, "columns stand below their titles"


def test_how_a_number_is_written():
    """Modes are counted, up to 1000 of stacked digits. Of 24, 25, 25 the deviation is sqrt(1/3)."""
    assert formats.cell("modes", Cell((1000.0, 1000.0))) == "1000 ± 0"
    assert formats.cell("modes", Cell((24.0, 25.0, 25.0))) == "24.7 ± 0.6"
    assert formats.cell("class_kl", Cell((0.0146, 0.0146))) == "0.015 ± 0.000"
    assert formats.cell("not_known", Cell((0.123456,))) == "0.123"
    assert formats.cell("energy_distance", Cell((-0.00001,))) == "0.0000", "not -0.0000"
    assert formats.cell("energy_distance", Cell((2.0, 2.1))) == "2.0 ± 0.1", "0.07, with the digits of the mean"
    assert formats.cell("hq_percent", Cell((1.0, math.nan))) == "nan", "it has no spread"


def test_one_csv_of_tables_with_other_columns():
    this = study(data={"ring": (), "grid": ()}, columns_on={"grid": {"fd": "min"}})
    records = RECORDS + [{**record, "data": "grid"} for record in RECORDS]
    texts = formats.written(this, table.rows(this, records), [])
    lines = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [(line["table"], line["method"]) for line in lines[:5]] == [
        ("ring", "A"), ("ring", "B"), ("ring", "C"), ("ring", "real data"), ("grid", "A")
    ]  # fmt: skip
    assert (lines[0]["HQ %"], lines[0]["fd"]) == ("75.0 ± 7.1 ▲", "2 ± 1.41")
    assert (lines[4]["HQ %"], lines[4]["fd"]) == ("", "2 ± 1.41")


def test_what_is_said_below_a_table():
    machine = {"gpus": [], "processor": "a core", "threads": 1, "tensorflow": "2.15.1"}
    records = [{"ended": f"2026-11-{day}", "machine": machine} for day in (27, 25, 26)]
    this = study(published_protocol="Published: 5 runs")
    assert formats.notes(this, records, {("ring", "A, T = 1"): 2, ("ring", "B"): 0, ("ring", "C"): 1}) == [
        "t. Ours: 2,500 samples.",
        f"{formats.SPREAD}.",
        "Published: 5 runs.",
        f"{formats.MARKS}.",
        "3 runs, 2026-11-25 to 2026-11-27: a core, 1 thread a run, TensorFlow 2.15.1.",
        "Not run so far on ring, at most: 2 of A, T = 1; 1 of C.",
    ]
    gpu = {**records[0], "machine": {**machine, "gpus": ["a GPU"]}}
    assert formats.notes(this, [gpu], {})[-1] == (
        "1 run, 2026-11-27: a GPU, a core, 1 thread a run, TensorFlow 2.15.1."
    )
    unpublished = [dataclasses.replace(method, published={}) for method in this.methods]
    said = formats.notes(dataclasses.replace(this, methods=unpublished), [], {})
    assert said == ["t. Ours: 2,500 samples.", f"{formats.SPREAD}."], "nothing is compared with what was not published"


def test_every_run_is_in_the_plan():
    done = {table.job_of(record): record for record in RECORDS}
    assert all(job in plan.plan(study(), done) for job in done)
