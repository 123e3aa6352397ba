"""The corners of a simplex, and the mixture of Gaussians on them."""

import numpy as np
import pytest

from bms_tf.objectives.simplex import SimplexMixture, corners


@pytest.mark.parametrize("dimensions", [1, 2, 9])
def test_corners(dimensions):
    # Of length 1, any two with the cosine -1/d; so they sum to 0.
    points = corners(dimensions).numpy()
    assert points.shape == (dimensions + 1, dimensions)
    expected = np.full([dimensions + 1] * 2, -1 / dimensions)
    np.fill_diagonal(expected, 1)
    np.testing.assert_allclose(points @ points.T, expected, atol=1e-6)


def test_the_peak_of_wide_gaussians_is_in_the_middle():
    # Ten Gaussians of variance .25 at distance 1: there the density is 10 exp(-1 / .5), more than on a corner, where it
    # is 1 + 9 exp(-2 (1 + 1/9) / .5) = 1.11.
    assert float(SimplexMixture(9, 0.25).log_peak) == pytest.approx(np.log(10) - 2, abs=1e-4)


def test_the_peak_of_narrow_gaussians_is_on_a_corner():
    # The corners of d = 1 are at -1 and 1; with a variance of .01 the other Gaussian is exp(-200).
    assert float(SimplexMixture(1, 0.01).log_peak) == pytest.approx(0, abs=1e-6)


def test_logits():
    # d = 1, variance .01: at e = 1.1 the density is exp(-.1^2 / .02) = exp(-1/2) of the peak's.
    mixture = SimplexMixture(1, 0.01)
    p = np.exp(-0.5)
    near, far, peak = mixture.logit(np.array([[1.1], [4.0], [1.0]], np.float32)).numpy()
    assert near == pytest.approx(np.log(p / (1 - p)), rel=1e-4)
    assert far == pytest.approx(-9 / 0.02, rel=1e-4)  # p is 0 to any precision, its logarithm is not
    assert 10 < peak < 15  # finite where p is 1
