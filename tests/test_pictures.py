"""What the pictures show, read back from the figures."""

import io

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.pictures import density, nearest_training, points, reconstruction_grid, sample_grid, walk


def shown(figure, axes: int = 0) -> np.ndarray:
    return np.asarray(figure.axes[axes].images[0].get_array()).squeeze()


def gray(count: int) -> np.ndarray:
    """Images of 4 x 4, each of one gray level of its own in [-1, 1]: i / count of the way."""
    return np.full((count, 4, 4, 1), 1.0) * (2 * np.arange(count) / count - 1)[:, None, None, None]


def png_size(figure) -> int:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return len(file.getvalue())


def test_density_shows_both_on_the_same_axes():
    rng = np.random.default_rng(0)
    reference = rng.uniform(-1, 1, size=(1000, 2))
    samples = np.concatenate([np.tile([0.5, -0.25], (6, 1)), [[np.nan, 0], [0, 9]]])
    figure = density(samples, reference)
    assert [axes.get_title() for axes in figure.axes] == ["data: 1,000 points", "samples: 8 points, 2 outside"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[0].images[0].norm.vmax == figure.axes[1].images[0].norm.vmax  # one scale of brightness
    # Each is a density: it sums to the share of the points inside, up to what the blur takes over the edge.
    assert shown(figure, 0).sum() == pytest.approx(1)
    assert shown(figure, 1).sum() == pytest.approx(6 / 8)
    # The brightest pixel lies where the samples do: x to the right, y upwards.
    row, column = np.unravel_index(shown(figure, 1).argmax(), (250, 250))
    (left, right), (bottom, top) = figure.axes[1].get_xlim(), figure.axes[1].get_ylim()
    assert left + (column + 0.5) / 250 * (right - left) == pytest.approx(0.5, abs=0.01)
    assert bottom + (row + 0.5) / 250 * (top - bottom) == pytest.approx(-0.25, abs=0.01)
    assert png_size(figure) < 200_000


def test_an_outlier_of_the_data_does_not_stretch_the_axes():
    reference = np.random.default_rng(0).uniform(-1, 1, size=(5000, 2))
    figure = density(reference, np.concatenate([reference, [[1000.0, 0.0]]]))
    assert figure.axes[0].get_xlim() == pytest.approx((-1.3, 1.3), abs=0.01)
    assert figure.axes[0].get_title() == "data: 5,001 points, 1 outside"


def test_density_of_nothing_finite():
    figure = density(np.full((5, 2), np.nan), np.random.default_rng(0).normal(size=(50, 2)))
    assert figure.axes[1].get_title() == "samples: 5 points, 5 outside"
    assert shown(figure, 1).sum() == 0


@pytest.mark.parametrize(("options", "message"), [({"bins": 0}, "density.bins is 0"), ({"blur": -1.0}, "blur -1.0")])
def test_density_of_impossible_values(options, message):
    with pytest.raises(ValueError, match=message):
        density(np.zeros((5, 2)), np.ones((5, 2)), **options)


CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_few_points_are_dots_with_a_legend():
    figure = points(CORNERS, modes=CORNERS[:2], title="four")
    axes = figure.axes[0]
    assert axes.get_title() == "four" and legend(figure) == ["samples", "true modes"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), CORNERS)
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), CORNERS[:2])
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((-1.15, 1.15)), "all in it, at one scale"
    assert not axes.images


def test_of_many_points_brighter_is_more():
    """Three times as many lie at the right corners as at the left ones."""
    samples = np.repeat(CORNERS, [100, 300, 100, 300], axis=0)
    figure = points(samples, title="many")
    axes, colorbar = figure.axes
    image = axes.images[0]
    shares = np.asarray(image.get_array())
    assert shares.sum() == pytest.approx(1)
    half = shares.shape[0] // 2
    assert shares[:half, half:].sum() == pytest.approx(3 * shares[:half, :half].sum())
    assert shares[:half, half:].sum() == pytest.approx(3 / 8)  # bottom right
    assert image.get_cmap().name == "magma", "as the pictures of a run"
    brightness = image.get_cmap()(image.norm([0.0, shares.max() / 3, shares.max()]))[:, :3].sum(axis=1)
    assert brightness[0] < brightness[1] < brightness[2]
    assert "share of the samples" in colorbar.get_ylabel()


def test_points_that_are_not_finite_leave_the_frame_to_the_others():
    figure = points(np.concatenate([CORNERS, [[np.nan, 0.0], [np.inf, 0.0]]]))
    assert figure.axes[0].get_xlim() == pytest.approx((-1.15, 1.15))
    assert png_size(points(np.full((3, 2), np.nan))) > 0


def test_a_walk_shows_where_it_is():
    path = np.linspace([0.0, 0.0], [1.0, 2.0], 5)
    figure = walk(path, 3, modes=CORNERS)
    line, here, modes = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), path)
    np.testing.assert_array_equal(here.get_xydata(), [path[3]])
    assert here.get_markersize() > 10 and legend(figure) == ["the walk", "here", "true modes"]


def test_sample_grid_is_read_row_by_row():
    figure = sample_grid(gray(70), gray(1))
    image = shown(figure)
    assert image.shape == (8 * 6 - 2, 8 * 6 - 2)  # a line of 2 between
    # Image 8 r + c, of brightness (8 r + c) / 70, at row r and column c.
    np.testing.assert_allclose(image[::6, ::6], np.arange(64).reshape(8, 8) / 70, atol=1e-6)
    assert png_size(figure) < 200_000


def test_fewer_samples_values_out_of_range_and_colors():
    image = shown(sample_grid(np.stack([np.full((4, 4, 3), v) for v in (-7.0, 7.0, np.nan)]), gray(1), side=2))
    assert image.shape == (10, 10, 3)
    assert image[0, 0, 0] == 0 and image[0, 6, 0] == 1 and image[6, 0, 0] == 0
    assert image[6, 6, 0] == 1  # no fourth image: white


def test_reconstructions_lie_below_their_originals():
    image = shown(reconstruction_grid(gray(1), gray(10), lambda x: x + 0.2, columns=2, rows=2))
    assert image.shape == (2 * 11 - 2, 2 * 6 - 2)  # a line of 1 within a pair
    # Brightness is (x + 1) / 2, so 0.2 more is 0.1 more.
    originals = np.array([[0.0, 0.1], [0.2, 0.3]])
    np.testing.assert_allclose(image[::11, ::6], originals, atol=1e-6)
    np.testing.assert_allclose(image[5::11, ::6], originals + 0.1, atol=1e-6)
    assert reconstruction_grid(gray(1), gray(10)) is None


def test_nearest_training_images_lie_below_the_samples():
    def data(split, start_step, examples_per_step, seed):
        assert split == "train_once"
        return tf.data.Dataset.from_tensor_slices(gray(10)).batch(examples_per_step)

    samples = gray(10)[[7, 3]] + 0.04  # brighter by 0.02, where the levels are 0.1 apart
    samples[1, 0, 0] = np.nan
    image = shown(nearest_training(samples, gray(1), data=data, columns=2))
    np.testing.assert_allclose(image[3, ::6], [0.72, 0.32], atol=1e-6)
    np.testing.assert_allclose(image[8, ::6], [0.7, 0.3], atol=1e-6)
