"""The Frechet distance in coarse pixels, by hand and at its extremes."""

import math

import numpy as np
import pytest

from bms_tf.metrics.pixels import pixel_scores


def score(samples, reference, side):
    return pixel_scores(samples, reference, seed=0, side=side)["frechet_pixel_distance"]


def test_by_hand():
    # One cell: the samples' means are 0 and 1 (mean 1/2, variance 1/2), the reference's 1/4 and 1/4 (variance 0).
    samples = np.array([[[0, 0], [0, 0]], [[2, 0], [0, 2]]], float)[..., None]
    reference = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], float)[..., None]
    assert score(samples, reference, 1) == pytest.approx(0.25**2 + 0.5)
    # Two cells along each edge are the pixels. Samples: 0 and (2, 0, 0, 2), mean (1, 0, 0, 1), covariance 2 v v' with
    # v = (1, 0, 0, 1); the reference: mean (1, 0, 0, 1) / 2, covariance w w' / 2 with w = (1, 0, 0, -1), v' w = 0.
    assert score(samples, reference, 2) == pytest.approx(0.5 + 2 * 2 + 0.5 * 2)


def test_extremes():
    images = np.random.default_rng(0).uniform(-1, 1, (300, 16, 16, 3))
    assert score(images, images, 4) == pytest.approx(0, abs=1e-9)
    # Detail below a cell is not seen: mirrored cells have the same means.
    mirrored = images.reshape(300, 4, 4, 4, 4, 3)[:, :, :, :, ::-1].reshape(images.shape)
    assert score(mirrored, images, 4) == pytest.approx(0, abs=1e-9)
    assert score(images + 1, images, 4) == pytest.approx(48)  # 4 * 4 * 3 means, each 1 higher
    bad = images.copy()
    bad[1:] = np.nan
    assert math.isnan(score(bad, images, 4))
    with pytest.raises(ValueError, match=r"samples of shape \(2,\); pixel_scores takes pictures"):
        score(np.zeros((5, 2)), np.zeros((5, 2)), 4)
    with pytest.raises(ValueError, match="pixel_scores.side is 3.*16 x 16"):
        score(images, images, 3)
