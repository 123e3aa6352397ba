"""The space: what each value becomes for KerasTuner and, from there, for gin."""

import pytest

from bms_tf.tuning.space import Choice, Interval, bindings, declare, shown


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((1, 10, 30), ["a.b = 1", "a.b = 10", "a.b = 30"]),
        ((1, 0.5), ["a.b = 1.0", "a.b = 0.5"]),  # KerasTuner has choices of one type alone
        ((True, None), ["a.b = True", "a.b = None"]),
        (((64, 64), (128,)), ["a.b = (64, 64)", "a.b = (128,)"]),
        (("min", "mean"), ["a.b = 'min'", "a.b = 'mean'"]),
        (("@hinge", "%loss"), ["a.b = @hinge", "a.b = %loss"]),
    ],
)
def test_a_value_comes_back_as_gin_text(values, texts):
    space = declare({"a.b": Choice(values=values)})
    (declared,) = space.space
    assert [bindings({"a.b": value})[0] for value in declared.values] == texts
    # Over gRPC as well, in doubles.
    assert type(space).from_proto(space.to_proto()).space[0].values == declared.values


def test_a_number_from_an_optimizer_is_a_plain_one():
    numpy = pytest.importorskip("numpy")
    assert bindings({"a.b": numpy.float64(0.1), "tuner/epochs": 3}) == ["a.b = 0.1"]


# low + i * step, or low * step^i.
@pytest.mark.parametrize(
    ("interval", "values"),
    [
        (Interval(low=2, high=8, step=3), [2, 5, 8]),
        (Interval(low=1, high=16, step=4, log=True), [1, 4, 16]),
        (Interval(low=1, high=4, step=2.0, log=True), [1, 2, 4]),
        (Interval(low=0.0, high=1.0, step=0.5), [0.0, 0.5, 1.0]),
        (Interval(low=0.01, high=1.0, step=10, log=True), pytest.approx([0.01, 0.1, 1.0])),
    ],
)
def test_the_steps_of_an_interval(interval, values):
    (declared,) = declare({"a.b": interval}).space
    assert list(declared.values) == values
    assert {type(value) for value in declared.values} == {type(interval.low)}


def test_half_of_the_draws_of_a_logarithm_lie_below_the_geometric_mean():
    (declared,) = declare({"a.b": Interval(low=1e-4, high=1.0, log=True)}).space
    # Of 400 draws 200 +- 10 lie below sqrt(1e-4 * 1) = 0.01; on a linear scale 4 would.
    assert 150 < sum(declared.random_sample(seed) < 0.01 for seed in range(400)) < 250


def test_a_parameter_that_depends_on_another():
    space = declare(
        {"a.kind": Choice(values=("x", "y")), "a.rate": Interval(low=0.1, high=1.0, when={"a.kind": ("y",)})}
    )
    assert space.values == {"a.kind": "'x'"}
    space.values = {"a.kind": "'y'"}
    space.ensure_active_values()
    assert set(space.values) == {"a.kind", "a.rate"}


CHOICE = Choice(values=(1, 2))


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Choice(values=()), "choice.values is (); it must hold values, each once"),
        (lambda: Choice(values=(1, 1)), "choice.values is (1, 1); it must hold values, each once"),
        (lambda: Interval(low=2.0, high=1.0), "interval.low is 2.0 and high 1.0; low must be below high"),
        (lambda: Interval(low=1, high=1), "interval.low is 1 and high 1; low must be below high"),
        (lambda: Interval(low=0.0, high=1.0, log=True), "interval.low is 0.0; with log it must be positive"),
        (lambda: Interval(low=-1.0, high=1.0, log=True), "interval.low is -1.0; with log it must be positive"),
        (lambda: Interval(low=0.0, high=1.0, step=0.0), "interval.step is 0.0; it must be above 0"),
        (lambda: Interval(low=0.1, high=1.0, step=1.0, log=True), "interval.step is 1.0; it must be above 1 with log"),
        (
            lambda: declare({"a.b": Choice(values=(1, 2), when={"a.c": (1,)}), "a.c": CHOICE}),
            "tune.space: a.b depends on 'a.c', which is not swept before it",
        ),
        (
            lambda: declare({"a.c": CHOICE, "a.b": Choice(values=(1, 2), when={"a.c": (3,)})}),
            "tune.space: a.b depends on a.c in (3,), which it never is",
        ),
    ],
)
def test_what_cannot_be_swept(make, line):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value).splitlines()[0] == line


def test_what_is_shown():
    assert shown({"a.rate": 0.123456, "b.T": 2}) == "rate=0.1235, T=2"
    assert shown({"a.rate": 0.5, "b.rate": 1}) == "a.rate=0.5, b.rate=1"
