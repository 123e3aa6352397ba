"""The order of stored records: every epoch has each of them once, however it is read, entered or shared."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from pipelines.records import InMemory, Streamed, batches

SIZE = 23
SOURCES = {
    "in_memory": InMemory(np.arange(SIZE)),
    "one_window": Streamed(tf.data.Dataset.range(SIZE), SIZE, window=SIZE),
    "small_windows": Streamed(tf.data.Dataset.range(SIZE), SIZE, window=6),
}


def read(source, seed, start, count):
    return [int(record) for record in source.shuffled(seed, start).take(count)]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_an_epoch_has_every_record_once_and_another_order(source):
    order = read(source, 5, 0, 4 * SIZE)
    epochs = [tuple(order[i * SIZE : (i + 1) * SIZE]) for i in range(4)]
    assert all(sorted(epoch) == list(range(SIZE)) for epoch in epochs)
    assert len({*epochs, tuple(range(SIZE)), tuple(read(source, 6, 0, SIZE))}) == 6
    # Entered anywhere: in an epoch, on its edge, and behind several.
    for start in (1, SIZE - 1, SIZE, 2 * SIZE + 7):
        assert read(source, 5, start, SIZE) == order[start : start + SIZE]


def test_the_order_does_not_depend_on_tensorflows_global_seed():
    first = {}
    for name, source in SOURCES.items():
        for seed in (1, 2):
            tf.random.set_seed(seed)
            assert first.setdefault(name, read(source, 5, 0, 30)) == read(source, 5, 0, 30)


def test_other_records_share_a_window_in_another_epoch():
    # Records that are neighbors on disk would otherwise be in the same 6 of 23 for ever.
    order = read(SOURCES["small_windows"], 5, 0, 20 * SIZE)
    companions = Counter()
    for epoch in range(20):
        first = order[epoch * SIZE : epoch * SIZE + 6]
        companions.update(first)
    assert len(companions) == SIZE


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_workers_decode_their_own_rows_alone(source):
    def decode(record, key):
        return record, key

    def numbered(worker, workers):
        context = tf.distribute.InputContext(workers, worker, 4)
        return list(batches(source, decode, "train", 3, 8, 5, context).take(8 // workers).as_numpy_iterator())

    expected = read(source, 5, 24, 16)  # steps 3 and 4 of 8 examples
    one, (first, second) = numbered(0, 1), (numbered(worker, 2) for worker in (0, 1))
    for streams in (one, [*first[:2], *second[:2], *first[2:], *second[2:]]):
        assert np.concatenate([records for records, _ in streams]).tolist() == expected
        # The key of an example is the run's seed and its place in the endless order, whoever reads it.
        assert np.concatenate([keys for _, keys in streams]).tolist() == [[5, place] for place in range(24, 40)]


def test_a_finite_split_is_in_order_and_its_keys_are_the_same_for_every_seed():
    for seed in (5, 6):
        parts = list(batches(SOURCES["in_memory"], lambda r, k: (r, k), "test", 1, 10, seed, None).as_numpy_iterator())
        assert [records.tolist() for records, _ in parts] == [list(range(10, 20)), [20, 21, 22]]
        assert np.concatenate([keys for _, keys in parts]).tolist() == [[-1, place] for place in range(10, 23)]
