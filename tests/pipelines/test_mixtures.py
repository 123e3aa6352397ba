"""The contract of all pipelines, and the geometry and statistics of the mixtures."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.digits import digits
from pipelines.grid import grid, grid_centers
from pipelines.high_dim import MEANS, high_dim, high_dim_centers
from pipelines.ring import ring, ring_centers
from pipelines.stacked_digits import stacked_digits

PIPELINES = [ring, grid, high_dim, digits, stacked_digits]
MIXTURES = [ring, grid, high_dim]


def take(dataset: tf.data.Dataset, count: int) -> list[np.ndarray]:
    return list(dataset.take(count).as_numpy_iterator())


def whole(pipeline, split: str, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(pipeline(split, 0, 3000, seed).as_numpy_iterator()))


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_entered_at_a_step_it_continues_exactly(pipeline):
    from_start = take(pipeline("train", 0, 500, 7), 5)
    np.testing.assert_array_equal(take(pipeline("train", 3, 500, 7), 2), from_start[3:])
    # Steps differ, and so do seeds.
    assert not np.array_equal(from_start[0], from_start[1])
    assert not np.array_equal(from_start[0], take(pipeline("train", 0, 500, 8), 1)[0])


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(("replicas", "workers"), [(1, 1), (2, 1), (4, 2)])
def test_the_shares_of_all_replicas_are_the_global_batch(pipeline, replicas, workers):
    local = replicas // workers
    batches = take(pipeline("train", 2, 24, 7), 2)
    streams = [
        take(pipeline("train", 2, 24, 7, tf.distribute.InputContext(workers, worker, replicas)), 2 * local)
        for worker in range(workers)
    ]
    for step, batch in enumerate(batches):
        shares = [stream[step * local + replica] for stream in streams for replica in range(local)]
        assert all(len(share) == 24 // replicas for share in shares)
        np.testing.assert_array_equal(np.concatenate(shares), batch)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_share_has_a_static_shape_and_the_train_split_no_end(pipeline):
    dataset = pipeline("train", 0, 24, 7, tf.distribute.InputContext(1, 0, 2))
    assert dataset.element_spec.shape[0] == 12
    assert dataset.element_spec.dtype == tf.float32
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("pipeline", MIXTURES)
def test_finite_splits_are_one_ordered_pass_with_a_smaller_last_batch(pipeline):
    batches = list(pipeline("test", 0, 40, 7, held_out=100).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [40, 40, 20]
    # The batch size cuts the same points elsewhere.
    np.testing.assert_array_equal(np.concatenate(batches), take(pipeline("test", 0, 100, 7, held_out=100), 1)[0])
    np.testing.assert_array_equal(take(pipeline("test", 2, 40, 7, held_out=100), 1)[0], batches[2])


@pytest.mark.parametrize("pipeline", MIXTURES)
def test_splits_share_no_point(pipeline):
    # Two coordinates are enough: float32 leaves about 10^5 values to each within one std, so 10^11 points within a
    # mode, and the 30,000 points make under 10^8 pairs in a mode: two equal points are a repeated key, not chance.
    splits = [whole(pipeline, "validation"), whole(pipeline, "test"), *take(pipeline("train", 0, 1000, 0), 10)]
    points = np.concatenate(splits)[:, :2]
    assert len(np.unique(points, axis=0)) == len(points) == 30_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("valid", 0, 8, 0), "split='valid'.*train"),
        (("train", -1, 8, 0), "start_step=-1"),
        (("train", 0, 0, 0), "examples_per_step=0"),
        (("train", 0, 9, 0, tf.distribute.InputContext(1, 0, 2)), "examples_per_step=9.*2 replicas"),
    ],
)
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_what_does_not_exist_is_named(pipeline, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipeline(*arguments)


def test_centers():
    h = np.sqrt(0.5)
    ring_by_hand = [(1, 0), (h, h), (0, 1), (-h, h), (-1, 0), (-h, -h), (0, -1), (h, -h)]
    np.testing.assert_allclose(ring_centers(), ring_by_hand, atol=1e-12)
    np.testing.assert_array_equal(grid_centers(), [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)])
    assert high_dim_centers().shape == (10, 1200)
    np.testing.assert_array_equal(high_dim_centers()[6], np.full(1200, 10.0))


@pytest.mark.parametrize(("pipeline", "centers", "std"), [(ring, ring_centers(), 0.01), (grid, grid_centers(), 0.05)])
def test_2d_mixtures_have_their_weights_and_deviations(pipeline, centers, std):
    points = whole(pipeline, "test")
    distance = np.linalg.norm(points[:, None] - centers, axis=-1)
    modes, n = len(centers), len(points)
    assert n == 10_000
    # A count is binomial: 10,000 / K on average, with a deviation under sqrt(10,000 / K). Five of them is never chance.
    counts = np.bincount(distance.argmin(axis=1), minlength=modes)
    assert np.all(np.abs(counts - n / modes) < 5 * np.sqrt(n / modes))
    # Offsets: 10,000 of mean 0 (error std / 100) and deviation std (relative error 1 / sqrt(2 * 10,000) = 0.7 %).
    offsets = points - centers[distance.argmin(axis=1)]
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=5 * std / 100)
    np.testing.assert_allclose(offsets.std(axis=0), std, rtol=5 * 0.0071)
    # The two coordinates are independent: correlation error 1 / 100.
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 5 / 100


def test_high_dim_is_noise_on_700_dimensions_and_the_mean_on_500():
    points = whole(high_dim, "test")[:2000]
    scalar = points[:, -1]
    np.testing.assert_array_equal(points[:, 700:], np.repeat(scalar[:, None], 500, axis=1))
    np.testing.assert_array_equal(np.unique(scalar), np.sort(np.float32(MEANS)))
    noise = points[:, :700] - scalar[:, None]
    # 1.4 million standard normal numbers: error of the mean 1 / 1183, of the deviation 1 / 1673.
    assert abs(noise.mean()) < 5 / 1183
    assert abs(noise.std() - 1) < 5 / 1673
