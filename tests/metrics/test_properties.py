"""What holds of the metrics for all sets: no order among rows, symmetry where there is one, and their ranges."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bms_tf.metrics.energy import energy_distance
from bms_tf.metrics.frechet import frechet_distance
from bms_tf.metrics.inception_score import classifier_score
from bms_tf.metrics.kid import squared_mmd
from bms_tf.metrics.mixture import kl_from_uniform, mixture_scores
from bms_tf.metrics.prdc import manifold_scores
from bms_tf.metrics.sliced_wasserstein import sliced_distance
from bms_tf.metrics.vendi import vendi

F = 3
CENTERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])


def sets(least=4, most=9, features=F, bound=100.0):
    """Sets of a few examples, some of which may be equal, with features up to `bound`."""
    elements = st.floats(-bound, bound).map(lambda x: round(x, 3)) | st.sampled_from([-1.0, 0.0, 1.0])
    return st.integers(least, most).flatmap(lambda n: arrays(np.float64, (n, features), elements=elements))


DISTANCES = [
    frechet_distance,
    lambda a, b: energy_distance(a, b, seed=0),
    lambda a, b: squared_mmd(a / 100, b / 100),
]
each_distance = pytest.mark.parametrize("distance", DISTANCES, ids=["frechet", "energy", "kid"])


@each_distance
@given(a=sets(), b=sets(), order=st.randoms())
def test_distances_are_symmetric_and_have_no_order(distance, a, b, order):
    value, room = distance(a, b), 1e-6 * (1 + np.square([*a, *b]).sum())
    assert np.isfinite(value)
    assert distance(b, a) == pytest.approx(value, abs=room)
    assert distance(a[order.sample(range(len(a)), len(a))], b) == pytest.approx(value, abs=room)


@given(a=sets(), b=sets())
def test_the_frechet_distance_is_zero_on_itself_and_nowhere_below(a, b):
    # A root of rounding noise is larger than the noise: 1e-16 of a square becomes 1e-8.
    room = 1e-6 * (1 + np.square([*a, *b]).sum())
    assert frechet_distance(a, a) == pytest.approx(0, abs=room)
    assert frechet_distance(a, b) >= np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) - room


@given(a=sets(), b=sets(), shift=st.integers(-100, 100), scale=st.sampled_from([-2.0, 0.5, 3.0]))
def test_what_a_shift_and_a_scale_do_to_distances(a, b, shift, scale):
    # Both distances see differences alone; the energy distance has their unit, the Frechet distance its square.
    for distance, power in ((frechet_distance, 2), (DISTANCES[1], 1)):
        value, room = distance(a, b), 1e-4 * (1 + np.square([*a, *b]).sum())
        assert distance(a + shift, b + shift) == pytest.approx(value, abs=room)
        assert distance(scale * a, scale * b) == pytest.approx(abs(scale) ** power * value, abs=10 * room)


@given(a=sets(), b=sets())
def test_the_energy_distance_of_all_pairs_is_not_negative(a, b):
    # The V-statistic, in which a point is also paired with itself, is at least 0; ours is that less the means within
    # each set over N - 1.
    within = [np.linalg.norm(x[:, None] - x, axis=-1).mean() / (len(x) - 1) for x in (a, b)]
    assert energy_distance(a, b, seed=0) + sum(within) >= -1e-5


@given(a=sets(), b=sets(), k=st.integers(1, 3))
def test_precision_is_recall_with_the_sets_exchanged(a, b, k):
    scores, exchanged = manifold_scores(a, b, k=k, k_density=k), manifold_scores(b, a, k=k)
    assert (scores["precision"], scores["recall"]) == (exchanged["recall"], exchanged["precision"])
    shares = [scores[name] for name in ("precision", "recall", "coverage", "coverage_expected")]
    assert all(0 <= share <= 1 for share in shares) and scores["density"] >= 0
    assert manifold_scores(a, a, k=k)["precision"] == 1, "an example lies in its own ball"


@given(a=sets(), order=st.randoms())
def test_the_vendi_score_is_a_number_of_samples(a, order):
    assume(np.linalg.norm(a, axis=1).all())
    value = vendi(a, a, seed=0)["vendi"]
    assert 1 - 1e-9 <= value <= min(a.shape) + 1e-9
    assert vendi(a[order.sample(range(len(a)), len(a))], a, seed=0)["vendi"] == pytest.approx(value)
    assert vendi(np.concatenate([a, a]), a, seed=0)["vendi"] == pytest.approx(value), "a copy adds nothing"


@given(samples=sets(features=2, bound=6.0), bad=st.integers(0, 2), order=st.randoms())
def test_the_ranges_of_the_scores_of_mixtures(samples, bad, order):
    samples[:bad] = np.nan
    scores = mixture_scores(samples, CENTERS, seed=0, centers=CENTERS, std=0.5)
    assert 0 <= scores["modes"] <= 3 and 0 <= scores["hq_percent"] <= 100 - 100 * bad / len(samples) + 1e-9
    permuted = samples[order.sample(range(len(samples)), len(samples))]
    again = mixture_scores(permuted, CENTERS, seed=0, centers=CENTERS, std=0.5)
    assert again == pytest.approx(scores, rel=1e-6, abs=1e-6, nan_ok=True)


@given(counts=st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_the_divergence_from_uniform_lies_between_0_and_its_logarithm(counts):
    assert -1e-12 <= kl_from_uniform(np.array(counts)) <= np.log(len(counts)) + 1e-12
    assert kl_from_uniform(np.full(len(counts), 7)) == pytest.approx(0, abs=1e-12)


@given(logits=arrays(np.float64, (6, 4), elements=st.floats(-1e30, 1e30)))
def test_the_classifiers_score_at_extreme_logits(logits):
    assert 1 - 1e-6 <= classifier_score(logits) <= 4 + 1e-6


@given(a=sets(6, 6), b=sets(6, 6), order=st.randoms())
def test_the_sliced_distance_is_one(a, b, order):
    directions = np.eye(F)
    value = sliced_distance(a, b, directions)
    assert value >= 0 and value == pytest.approx(sliced_distance(b, a, directions))
    assert sliced_distance(a, a[order.sample(range(6), 6)], directions) == pytest.approx(0, abs=1e-9)
