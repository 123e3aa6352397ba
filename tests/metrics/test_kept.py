"""What is kept on the disk: whole or not at all."""

import resource

import numpy as np

from bms_tf.metrics.kept import kept, read_arrays, write_arrays


class WithAPlace(np.ndarray):
    beside = None


def test_of_features_with_a_place_it_is_computed_once(tmp_path):
    calls = []

    @kept
    def sums(features):
        calls.append(len(features))
        return (features.sum(axis=0),)

    features = np.arange(6.0).reshape(3, 2).view(WithAPlace)
    assert [list(sums(features)[0]) for _ in range(2)] == [[6, 9]] * 2 and calls == [3, 3]
    features.beside = tmp_path / "abc"
    assert [list(sums(features)[0]) for _ in range(2)] == [[6, 9]] * 2 and calls == [3, 3, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["abc.sums.npz"]
    (tmp_path / "abc.sums.npz").write_text("damaged")
    assert list(sums(features)[0]) == [6, 9] and len(calls) == 4
    assert list(read_arrays(tmp_path / "abc.sums.npz")[0]) == [6, 9]


def test_a_full_disk_leaves_nothing_behind(tmp_path, caplog):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        write_arrays(tmp_path / "x.npz", [np.ones(1000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir()) and "x.npz cannot be written (" in caplog.text
