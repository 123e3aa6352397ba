"""Examples as bytes and back, in slices."""

import numpy as np
import pytest

from bms_tf.core.examples import Rows, as_bytes, as_floats, gathered, is_picture, rows_of


def test_bytes_and_floats():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_bytes(as_floats(levels)), levels)
    assert as_floats(levels)[[0, 255]].tolist() == [-1, 1]
    # 127.5 (x + 1): .4 / 127.5 above a level is that level; what lies outside is cut off.
    assert as_bytes(np.array([-3, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 1.01])).tolist() == [0, 0, 1, 255]
    points = np.zeros([2, 2], np.float32)
    assert as_floats(points) is points


@pytest.mark.parametrize(("shape", "answer"), [((4, 4, 3), True), ((4, 4, 1), True), ((4, 4, 2), False), ((2,), False)])
def test_what_a_picture_is(shape, answer):
    assert is_picture(shape) == answer


def test_rows_are_read_as_they_are_asked_for():
    stored = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    rows, floats = Rows(stored), as_floats(stored)
    assert (len(rows), rows.shape, rows.ndim) == (20, (20, 4, 4, 3), 4)
    for index in (slice(3, 9), slice(None, None, 2), [5, 1], np.array([7]), 4):
        np.testing.assert_array_equal(rows[index], floats[index])
        assert rows[index].dtype == np.float32
    np.testing.assert_array_equal(np.asarray(rows), floats)


def test_some_of_the_rows():
    stored = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    finite = np.arange(20) != 7
    rows = Rows(stored, finite)
    some = rows.taken(np.array([9, 7, 3]))
    assert (len(some), some.shape) == (3, (3, 4, 4, 3))
    np.testing.assert_array_equal(some[:], rows[[9, 7, 3]])
    np.testing.assert_array_equal(some.taken(np.array([2, 0]))[:], as_floats(stored)[[3, 9]])
    np.testing.assert_array_equal(rows.taken(finite)[:], as_floats(stored)[finite])
    # In bytes, but for one that is not finite.
    np.testing.assert_array_equal(some.taken([0, 2]).compact(), stored[[9, 3]])
    assert np.isnan(some.compact()[1]).all() and some.compact().dtype == np.float32
    np.testing.assert_array_equal(Rows(stored).compact(), stored)
    # An array as rows.
    x = np.random.default_rng(0).normal(size=(5, 2))
    assert rows_of(rows) is rows
    np.testing.assert_array_equal(rows_of(x).taken(slice(1, 4))[:], x.astype(np.float32)[1:4])


def test_pictures_are_gathered_as_bytes_and_points_as_they_are():
    x = np.random.default_rng(0).uniform(-1, 1, (7, 4, 4, 1)).astype(np.float32)
    found = gathered([x[:5], x[5:]])
    assert isinstance(found, Rows) and found._stored.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(found), as_floats(as_bytes(x)))
    points = np.random.default_rng(0).normal(size=(7, 2))
    np.testing.assert_array_equal(gathered([points[:5], points[5:]]), points)


def test_what_is_not_finite_stays_so():
    x = np.zeros([6, 2, 2, 1], np.float32)
    x[1, 0, 0] = np.nan
    x[4, 1, 1] = -np.inf
    found = gathered([x[:3], x[3:]])
    assert np.isnan(np.asarray(found)).all(axis=(1, 2, 3)).tolist() == [False, True, False, False, True, False]
    assert np.isnan(found[4]).all() and np.isnan(found[[0, 1]]).any(axis=(1, 2, 3)).tolist() == [False, True]
    assert not np.isnan(found[2:4]).any()
