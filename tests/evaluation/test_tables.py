"""Tables: values beside their floors, letters where protocols differ, and a model's card."""

import pytest

from bms_tf.evaluation.tables import markdown, write_card


def row(name="precision", of="models/a", value=0.5, floor=0.75, spread=None, settings=None, at=None, **protocol):
    protocol = {"n_generated": 1000, "n_real": 2000, "data": "d", "data_sha256": "0" * 64, "seed": 0, **protocol}
    numbers = {"n_generated": 1000, "n_real": 2000} | (at or {})
    protocol |= {"settings": settings or {"k": 3}, "floor": None if floor is None else {**numbers, "data": "e"}}
    given = {"value": value, "spread": spread, "floor": floor, "floor_spread": None}
    return {"metric": "m", "name": name, "of": of, **given, "protocol": protocol}


def lines(*rows):
    return markdown(rows).splitlines()


def test_one_protocol_needs_no_letters():
    assert lines(row(), row("recall", value=0.12345678, floor=None), row("kid", value=None, spread=0.1)) == [
        "| quantity | models/a | floor |",
        "| --- | --- | --- |",
        "| precision | 0.5 | 0.75 |",
        "| recall | 0.1235 |  |",
        "| kid | not finite | 0.75 |",
        "",
        "1,000 samples and 2,000 real, data d, data sha256 000000000000, seed 0.",
        "",
        "kid: the docstring of m says when it is not finite.",
    ]


def test_a_spread():
    both = row(spread=0.0312) | {"floor_spread": 0.02}
    assert lines(both)[2] == "| precision | 0.5 ± 0.031 | 0.75 ± 0.02 |"


def test_which_way_is_better_is_said_where_a_line_knows_it():
    # Lines of earlier versions do not.
    table = lines(row() | {"better": "higher"}, row(of="models/b"), row("density"))
    assert table[2:4] == [
        "| precision (higher is better) | 0.5 | 0.75 | 0.5 | 0.75 |",
        "| density | 0.5 | 0.75 |  |  |",
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"n_generated": 999},
        {"n_real": 1},
        {"resizer": "clean_fid"},
        {"data_sha256": "1" * 64},
        {"ema": 0.9},
        {"split": "t"},
        {"seed": 7},
    ],
)
def test_what_was_measured_otherwise_bears_a_letter(other):
    table = lines(row(), row(of="models/b", at=other if "n_real" in other or "n_generated" in other else None, **other))
    assert table[2] == "| precision | 0.5 (a) | 0.75 | 0.5 (b) | 0.75 |"
    assert [line[:4] for line in table if line.startswith("(")] == ["(a):", "(b):"]


def test_two_features_in_one_column_bear_letters():
    table = lines(row(features="inception", weights_sha256="f" * 64), row("modes"))
    assert table[2:4] == ["| precision | 0.5 (a) | 0.75 |", "| modes | 0.5 (b) | 0.75 |"]
    assert table[5].endswith("seed 0, features inception, weights sha256 ffffffffffff.")


def test_other_settings_of_a_metric_are_said():
    both = {"a": row(settings={"k": 3, "p": 1}), "b": row(of="models/b", settings={"k": 5, "p": 1})}
    table = lines(*both.values(), row("recall"), row("recall", of="models/b"))
    assert table[2].startswith("| precision * |") and table[3].startswith("| recall |")
    assert table[-1] == '\\* precision: measured with different settings, {"k": 3} and {"k": 5}.'
    others = row("recall", settings={"k": 3}), row("recall", of="models/b", settings={"k": 5})
    assert lines(*both.values(), *others)[-1].startswith("\\* precision, recall: measured")


def test_a_floor_at_other_numbers_says_so():
    assert lines(row(at={"n_generated": 500, "n_real": 500}))[2] == "| precision | 0.5 | 0.75 (of 500 and 500) |"


def test_floors_of_other_data_bear_letters():
    table = lines(row(at={"data_sha256": "1" * 64}), row(of="models/b", at={"data_sha256": "2" * 64}))
    assert table[2] == "| precision | 0.5 | 0.75 (b) | 0.5 | 0.75 (c) |"
    assert table[6::2] == ["(b): floor of e, sha256 111111111111.", "(c): floor of e, sha256 222222222222."]


def test_a_model_without_a_value():
    table = lines(row(), row("recall", of="models/b"))
    assert table[2:4] == ["| precision | 0.5 | 0.75 |  |  |", "| recall |  |  | 0.5 | 0.75 |"]


def test_the_card(tmp_path):
    card = tmp_path / "README.md"
    card.write_text("# m\n\n- **Scores**: none.\n")
    write_card(str(card), [row()], "evaluate --model=a")
    first = card.read_text()
    assert first.startswith(
        "# m\n\n- **Scores**: none.\n\n<!-- bms_tf.evaluate: begin -->\n## Evaluation\n\n    evaluate "
    )
    assert "| precision | 0.5 | 0.75 |" in first
    # However the end of the table is followed, by a blank or by nothing.
    ending = first.rstrip("\n")
    for text in (ending + " More.\n", ending):
        card.write_text(text)
        write_card(str(card), [row()], "evaluate --model=a")
        assert card.read_text() == first + text.removeprefix(ending)
    card.write_text(ending.removesuffix("-->"))
    with pytest.raises(ValueError, match="put it back, or delete the former"):
        write_card(str(card), [row()], "evaluate --model=a")
    card.write_text(first + "More.\n")
    write_card(str(card), [row(value=0.25)], "evaluate --model=a")
    assert card.read_text() == first.replace("| 0.5 |", "| 0.25 |") + "More.\n"
    with pytest.raises(ValueError, match="nowhere.md does not exist"):
        write_card(str(tmp_path / "nowhere.md"), [row()], "")
