"""Stacked digits: what a stack is made of, and how often each mode comes."""

import numpy as np
import pytest

from pipelines.digits import digits
from pipelines.stacked_digits import stacked_digits


def whole(pipeline, split, **options):
    return next(pipeline(split, 0, 26_000, 0, **options).as_numpy_iterator())


@pytest.mark.parametrize("split", ["train_once", "test"])
def test_a_stack_is_three_digits_of_its_split_and_the_label_their_number(split):
    singles = whole(digits, split, size=8, labels=True)
    label_of = {image.tobytes(): label for image, label in zip(*singles)}
    images, labels = whole(stacked_digits, split, size=8, held_out=500, labels=True)
    assert images.shape == (500, 8, 8, 3)
    found = [[label_of[image[..., channel].tobytes()] for channel in range(3)] for image in images]
    np.testing.assert_array_equal(np.array(found) @ [100, 10, 1], labels)


def test_every_mode_comes_as_often_as_its_digits_do():
    (_, labels), singles = whole(stacked_digits, "test", size=8, labels=True), whole(digits, "test", labels=True)[1]
    assert len(labels) == 26_000
    share = np.bincount(singles) / len(singles)
    expected = 26_000 * np.einsum("i,j,k->ijk", share, share, share).ravel()
    counts = np.bincount(labels, minlength=1000)
    # About 26 in each mode, Poisson: the sum of (count - expected)^2 / expected is chi-squared with 999 degrees of
    # freedom, 999 +- 45 (and a little less, as each epoch is a permutation). Channels in step with each other would
    # leave most modes empty.
    assert 999 - 5 * 45 < np.sum((counts - expected) ** 2 / expected) < 999 + 5 * 45


def test_the_training_stacks_of_two_steps_differ_and_the_labels_belong_to_them():
    label_of = {i.tobytes(): label for i, label in zip(*whole(digits, "train_once", size=8, labels=True))}
    steps = list(stacked_digits("train", 4, 50, 3, size=8, labels=True).take(2).as_numpy_iterator())
    assert not np.array_equal(steps[0][1], steps[1][1])
    for images, labels in steps:
        found = [[label_of[image[..., channel].tobytes()] for channel in range(3)] for image in images]
        np.testing.assert_array_equal(np.array(found) @ [100, 10, 1], labels)


def test_the_scans_have_eight_pixels():
    with pytest.raises(ValueError, match="size is 7; it must lie in 8..512"):
        stacked_digits("train", 0, 8, 0, size=7)
