"""What is computed once, what a kill leaves, and what becomes of damaged files."""

import errno
import os
import resource
import threading

import numpy as np
import pytest

from bms_tf.evaluation import sources
from bms_tf.evaluation.sources import BATCH
from bms_tf.evaluation.store import OnDisk, Store

COUNT = 3 * BATCH + 7


@pytest.fixture
def source():
    return sources.of_array(np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32), "points")


class Counting:
    """Squares, and how many rows were squared; it fails at batch number `fails_at`."""

    def __init__(self, fails_at=None):
        self.rows, self.fails_at = 0, fails_at

    def __call__(self, x):
        if self.fails_at is not None and self.rows >= self.fails_at * BATCH:
            raise KeyboardInterrupt
        self.rows += len(x)
        return {"features": x**2, "sums": x.sum(axis=1)}


WANTED = {"features": {"network": 1}, "sums": {}}


def check(rows, source):
    x = np.concatenate(list(source.batches(0)))
    np.testing.assert_array_equal(rows["features"], x**2)
    np.testing.assert_array_equal(rows["sums"], x.sum(axis=1))


def test_it_is_computed_once(source, tmp_path):
    store, compute = Store(str(tmp_path)), Counting()
    check(store.rows(source, WANTED, compute), source)
    check(Store(str(tmp_path)).rows(source, WANTED, compute), source)
    assert compute.rows == COUNT
    # Another network's are others; what does not depend on it is there.
    store.rows(source, {**WANTED, "features": {"network": 2}}, compute)
    assert compute.rows == 2 * COUNT
    fewer = sources.of_array(np.concatenate(list(source.batches(0)))[:-1], "points")
    store.rows(fewer, WANTED, compute)
    assert compute.rows == 3 * COUNT - 1


def test_a_kill_loses_one_batch(source, tmp_path):
    store = Store(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        store.rows(source, WANTED, Counting(fails_at=2))
    # In the middle of a write, half a row is there.
    (path,) = (path for path in tmp_path.glob("*.rows") if path.stat().st_size == 2 * BATCH * 4)
    with path.open("ab") as file:
        file.write(b"xx")
    rest = Counting()
    check(store.rows(source, WANTED, rest), source)
    assert rest.rows == COUNT - 2 * BATCH


def test_one_of_two_files_is_behind(source, tmp_path):
    store = Store(str(tmp_path))
    store.rows(source, WANTED, Counting())
    (path,) = (path for path in tmp_path.glob("*.rows") if path.stat().st_size == COUNT * 8)
    os.truncate(path, 2 * BATCH * 8 + 3)
    rest = Counting()
    check(store.rows(source, WANTED, rest), source)
    assert rest.rows == COUNT - 2 * BATCH


@pytest.mark.parametrize("content", ["", "{", '{"dtype": "<f4"}', '{"dtype": "nonsense", "shape": [2]}', "[]"])
def test_a_damaged_description_begins_anew(source, tmp_path, content):
    store = Store(str(tmp_path))
    store.rows(source, WANTED, Counting())
    for path in tmp_path.glob("*.json"):
        path.write_text(content)
    again = Counting()
    check(store.rows(source, WANTED, again), source)
    assert again.rows == COUNT


def test_a_full_disk_is_one_line_and_the_next_call_goes_on(source, tmp_path):
    store = Store(str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250 * 8, limits[1]))  # of a file: room for 250 rows of 8 bytes
    try:
        with pytest.raises(OSError) as caught:
            store.rows(source, WANTED, Counting())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG and str(tmp_path) in str(caught.value)
    rest = Counting()
    check(store.rows(source, WANTED, rest), source)
    assert rest.rows == COUNT - 2 * BATCH


def test_two_at_once_compute_it_once(source, tmp_path):
    compute, found = Counting(), []
    threads = [
        threading.Thread(target=lambda: found.append(Store(str(tmp_path)).rows(source, WANTED, compute)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in found:
        check(rows, source)
    assert len(found) == 4 and compute.rows == COUNT


def test_whatever_order_they_are_named_in_files_are_locked_in_one(source, tmp_path, monkeypatch):
    """Two processes that hold what the other wants would wait for ever."""
    locked = []
    monkeypatch.setattr("fcntl.flock", lambda file, how: locked.append(file.name))
    for names in (WANTED, dict(reversed(WANTED.items()))):
        Store(str(tmp_path)).rows(source, names, Counting())
    assert len(set(locked)) == 2 and locked[:2] == locked[2:]


def test_all_rows_of_a_file_know_where_it_is(source, tmp_path):
    rows = Store(str(tmp_path)).rows(source, {"features": {}}, Counting())["features"]
    assert f"{rows.beside}.rows" == str(rows.filename)
    assert rows[:5].beside is None and rows[[0, 1]].beside is None, "what is computed of a part is not theirs"


def test_rows_on_the_disk_hold_no_memory_once_they_were_read(source, tmp_path):
    stored = Store(str(tmp_path)).rows(source, {"features": {}}, Counting())["features"]
    whole, rows, path = np.array(stored), OnDisk(stored), str(stored.filename)
    del stored
    for index in (slice(3, 250), np.array([5, 300, 1]), 7):
        np.testing.assert_array_equal(rows[index], whole[index])
    assert (len(rows), rows.shape, rows.dtype) == (COUNT, (COUNT, 2), np.float32)
    with open("/proc/self/maps") as maps:
        assert path not in maps.read()
