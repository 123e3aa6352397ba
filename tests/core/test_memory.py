"""What would not fit into memory is refused before it is made."""

import pytest

from bms_tf.core import memory
from bms_tf.core.keras import keras


def test_what_the_machine_has_is_the_least_of_its_limits(tmp_path, monkeypatch):
    (tmp_path / "limit").write_text("4096\n")
    (tmp_path / "unlimited").write_text("max\n")
    monkeypatch.setattr(memory, "_LIMITS", (str(tmp_path / "unlimited"), str(tmp_path / "nowhere")))
    whole = memory.available()
    assert whole > 2**28
    monkeypatch.setattr(memory, "_LIMITS", (str(tmp_path / "unlimited"), str(tmp_path / "limit")))
    assert memory.available() == 4096


def test_a_count_of_numbers(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 4 * 1000)
    memory.check(1000, "this")
    with pytest.raises(ValueError, match="^this would take 3.73e-06 GB; this machine has 3.73e-06 GB$"):
        memory.check(1001, "this")


def test_weights_are_refused_before_they_are_made(monkeypatch):
    """Dense layers of 3 x 5 + 5 = 20 and 5 x 7 + 7 = 42 weights; with gradient and Adam's averages four times that."""
    made = []

    def build():
        with memory.weights_checked():
            keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
            keras.layers.Dense(7, kernel_initializer=lambda *a, **k: made.append(a) or 0.0).build((None, 5))

    monkeypatch.setattr(memory, "available", lambda: 4 * 4 * (20 + 35) - 1)
    with pytest.raises(ValueError, match="networks of 55 weights or more, in training, would take"):
        build()
    assert not made
    monkeypatch.setattr(memory, "available", lambda: 10**9)
    with pytest.raises(Exception, match="shape"):  # the initializer of the test gives no kernel
        build()
    assert made


def test_a_billion_weights_take_no_memory():
    with pytest.raises(ValueError, match="networks of 1,000,000,000,000,000 weights or more"), memory.weights_checked():
        keras.layers.Dense(10**12).build((None, 10**3))


def test_a_batch(monkeypatch):
    """An example is 5 numbers behind the first layer, 5 behind its activation and 2 behind the last; half count."""
    network = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(5), keras.layers.Activation("relu"), keras.layers.Dense(2)], name="g"
    )
    counted = 5 + 5 + 2
    monkeypatch.setattr(memory, "available", lambda: 4 * (1000 * counted // 2))
    memory.check_batch([network], 1000)
    with pytest.raises(ValueError, match="^a batch of 1,001 in the g would take"):
        memory.check_batch([network], 1001)


def test_a_network_inside_a_network_counts_by_its_layers(monkeypatch):
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    outer = keras.Sequential([keras.Input((3,)), inner, keras.layers.Reshape((5, 1))])
    counts = []
    monkeypatch.setattr(memory, "check", lambda count, what: counts.append(count))
    memory.check_batch([inner, outer], 2)
    assert counts == [5 * 2 // 2, (5 + 5) * 2 // 2]


def test_codes(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 4 * 10**9 * 256 * 32)
    memory.check_codes(10**9, 256, 32)
    with pytest.raises(ValueError, match=r"^1,000,000,001 codes of each of 256 examples would take \d"):
        memory.check_codes(10**9 + 1, 256, 32)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2,), 2 * (4 + 8) + 80),  # float32 and float64
        ((28, 28, 1), 2 * 28 * 28 + 80),  # bytes, twice
        ((28, 28, 2), (4 + 8) * 2 * 28 * 28 + 80),  # two channels are no picture
    ],
)
def test_samples(monkeypatch, shape, size):
    monkeypatch.setattr(memory, "available", lambda: 10**9 * size)
    memory.check_samples(10**9, shape)
    monkeypatch.setattr(memory, "available", lambda: 10**9 * size - 1)
    with pytest.raises(ValueError, match=r"^train.samples = 1,000,000,000, with their scores, would take \d"):
        memory.check_samples(10**9, shape)
