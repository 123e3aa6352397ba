"""IvOM of generators whose closest examples are known."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.metrics.ivom import closest, ivom, side_by_side
from tests.metrics.hand_made import model, normal

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(3, 12)).astype(np.float32)  # of a linear generator, z -> z A, of gray images of 3 x 4


def linear(z):
    return tf.reshape(z @ MATRIX, [-1, 3, 4, 1])


@pytest.mark.slow
def test_what_the_generator_makes_has_none():
    codes = RNG.normal(size=(20, 3)).astype(np.float32)
    scores = ivom(model(3, generate=linear), linear(codes).numpy(), seed=0)
    assert scores["ivom"] == pytest.approx(0, abs=1e-9)
    assert scores["ivom_converged_percent"] == 100
    found = closest(model(3, generate=linear), linear(codes).numpy(), seed=0, starts=1, screening=1, iterations=50)
    np.testing.assert_allclose(found.codes, codes, atol=1e-3)
    assert scores["ivom_code_rms"] == pytest.approx(np.sqrt(np.mean(codes**2)), rel=1e-3)


def test_a_linear_generator_gives_the_least_squares():
    x = RNG.uniform(-1, 1, (150, 3, 4, 1)).astype(np.float32)  # more than one batch
    _, squares, _, _ = np.linalg.lstsq(MATRIX.T.astype(np.float64), x.reshape(150, 12).T.astype(np.float64), rcond=None)
    scores = ivom(model(3, generate=linear), x, seed=0)
    # Of images, the mean squared error in [0, 1]: a quarter of that in [-1, 1].
    assert scores["ivom"] == pytest.approx(squares.mean() / 12 / 4, rel=1e-5)
    assert scores["ivom_std"] == pytest.approx((squares / 48).std(ddof=1) / np.sqrt(150), rel=1e-4)
    assert scores["ivom_converged_percent"] == 100


def test_points_keep_their_unit():
    # G(z) = (z, 0): the closest to (x, 2) is (x, 0), at a squared distance of 4 over two dimensions.
    points = np.array([[0.5, 2.0], [-1.0, -2.0]], np.float32)
    scores = ivom(model(1, generate=lambda z: tf.pad(z, [[0, 0], [0, 1]])), points, seed=0)
    assert scores["ivom"] == pytest.approx(2, rel=1e-6)
    assert set(scores) == {"ivom", "ivom_std", "ivom_converged_percent", "ivom_code_rms"}


@pytest.mark.slow
def test_starts_find_the_better_valley():
    # G(z) = (z^2 - 1)^2 + .2 z has its minimum near -1 and a worse one near 1: at z = -1.0247 and .9735, the roots of
    # 4 z (z^2 - 1) + .2. From the prior, 41 % of the starts go to the worse valley or farther than that.
    def valleys(z):
        return (z**2 - 1) ** 2 + 0.2 * z + 1

    roots = np.roots([4, 0, -4, 0.2]).real
    best = min((root**2 - 1) ** 2 + 0.2 * root + 1 for root in roots)
    one, many = (
        ivom(model(1, generate=valleys), np.zeros((30, 1), np.float32), seed=0, starts=starts) for starts in (1, 12)
    )
    assert many["ivom"] == pytest.approx(best**2, rel=1e-4)
    assert one["ivom"] > best**2 + 0.05
    assert 0 < one["ivom_std"]


def test_a_start_that_is_not_finite_is_not_taken():
    # NaN for z > 0, else z: half the starts are of no use.
    scores = ivom(
        model(1, generate=lambda z: tf.where(z > 0, np.nan, z)), np.full((20, 1), -1.0, np.float32), seed=0, starts=12
    )
    assert scores["ivom"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_too_few_iterations_are_told():
    def narrow(z):  # a curved valley, after Rosenbrock
        return tf.stack([1 - z[:, 0], 10 * (z[:, 1] - z[:, 0] ** 2)], axis=1)

    target = np.zeros((10, 2), np.float32)
    scores = ivom(model(2, generate=narrow), target, seed=0, starts=1, screening=1, iterations=1)
    assert scores["ivom_converged_percent"] < 50
    assert ivom(model(2, generate=narrow), target, seed=0)["ivom_converged_percent"] == 100


@pytest.mark.slow
def test_through_a_saved_model(tmp_path):
    module = tf.Module()
    module.matrix = tf.Variable(MATRIX)
    signature = tf.function(lambda z: {"x": tf.reshape(z @ module.matrix, [-1, 3, 4, 1])})
    spec = tf.TensorSpec([None, 3], tf.float32, name="z")
    tf.saved_model.save(module, str(tmp_path), signatures={"generate": signature.get_concrete_function(spec)})
    loaded = tf.saved_model.load(str(tmp_path))
    x = RNG.uniform(-1, 1, (5, 3, 4, 1)).astype(np.float32)
    scores = [
        ivom(model(3, generate=generate), x, seed=0)["ivom"]
        for generate in (linear, lambda z: loaded.signatures["generate"](z=z)["x"])
    ]
    assert scores[1] == pytest.approx(scores[0], rel=1e-6)


def test_the_picture_has_a_row_for_each_model():
    x = np.full((4, 8, 8, 1), -1.0)
    figure = side_by_side(x, {"one": x + 1, "two": x + 2}, shown=4)
    image = figure.axes[0].images[0].get_array()
    assert image.shape == (3 * 8 + 4, 4 * 8 + 6)  # two pixels between
    assert [image[10 * row, 0] for row in range(3)] == [0, 0.5, 1]
    assert figure.axes[0].get_title() == "from the top: test images, one, two"


@pytest.mark.slow
def test_same_seed_same_numbers():
    x = RNG.uniform(-1, 1, (5, 3, 4, 1)).astype(np.float32)
    one, again = (ivom(model(3, generate=linear), x, seed=3)["ivom"] for _ in range(2))
    assert one == again
    starts = normal(tf.range(3, dtype=tf.int64), 2).numpy()
    assert len(np.unique(starts)) == 6


@pytest.mark.parametrize("name", ["examples", "starts", "screening", "iterations"])
def test_bad_counts(name):
    with pytest.raises(ValueError, match=f"ivom.{name} is 0"):
        ivom(model(3, generate=linear), np.zeros((5, 3, 4, 1)), seed=0, **{name: 0})


def test_a_model_without_a_generator():
    with pytest.raises(ValueError, match="ivom needs a model that has generate and sample_prior; this one has no gen"):
        ivom(model(3), np.zeros((5, 3, 4, 1)), seed=0)
