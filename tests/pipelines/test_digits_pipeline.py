"""The digits: the split, the order over epochs, the resizing."""

import numpy as np
from sklearn.datasets import load_digits

from pipelines.digits import digits


def whole(split: str, **kwargs):
    return list(digits(split, 0, 2000, 0, **kwargs).as_numpy_iterator())[0]


def names(images: np.ndarray) -> list[bytes]:
    return [image.tobytes() for image in images]


def test_split_is_fixed_stratified_and_holds_every_digit_once():
    (train, train_labels), (test, test_labels) = whole("train_once", labels=True), whole("test", labels=True)
    assert train.shape == (1437, 32, 32, 1) and test.shape == (360, 32, 32, 1)
    assert train.dtype == np.float32 and train_labels.dtype == np.int64
    # Every image of scikit-learn's set is different, so equal images would be counted here.
    assert len(set(names(train)) | set(names(test))) == 1797
    every = np.bincount(load_digits().target)
    np.testing.assert_array_equal(np.bincount(train_labels) + np.bincount(test_labels), every)
    # Stratified: 360 / 1797 of each class, rounded up or down.
    assert np.all(np.abs(np.bincount(test_labels) - every * 360 / 1797) < 1)


def test_images_are_resized_bilinearly_into_minus_one_to_one():
    # Output pixel i lies at (i + 0.5) / 4 - 0.5 of the input. Pixel 0: at -0.375, clamped to input pixel 0. Pixel 2: at
    # 0.125, so 7/8 of input pixel 0 and 1/8 of pixel 1. Pixel 16: at 3.625, so 3/8 of pixel 3 and 5/8 of pixel 4.
    weights = np.zeros((3, 8))
    weights[0, 0] = 1
    weights[1, :2] = 7 / 8, 1 / 8
    weights[2, 3:5] = 3 / 8, 5 / 8
    expected = weights @ load_digits().images @ weights.T / 8 - 1  # 16 gray levels
    images = np.concatenate([whole("train_once"), whole("test")])[..., 0]
    assert images.min() == -1 and images.max() == 1
    found = images[:, [0, 2, 16]][:, :, [0, 2, 16]]
    # The split shuffles the images: compare them in sorted order. All values are multiples of 1/512, exact in float32.
    assert sorted(found.reshape(-1, 9).tolist()) == sorted(expected.reshape(-1, 9).tolist())


def test_every_epoch_is_another_order_of_the_same_images():
    # 1437 = 3 * 479: three steps are an epoch.
    steps = list(digits("train", 0, 479, 5).take(6).as_numpy_iterator())
    first, second = (names(np.concatenate(steps[i : i + 3])) for i in (0, 3))
    assert sorted(first) == sorted(second) == sorted(names(whole("train_once")))
    # Two random orders agree in one place on average, Poisson: 12 or more has a probability under 1e-9.
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 12
    assert sum(a == b for a, b in zip(first, names(whole("train_once")), strict=True)) < 12


def test_a_batch_crosses_epochs_and_does_not_change_the_order():
    by_479 = np.concatenate(list(digits("train", 0, 479, 5).take(9).as_numpy_iterator()))
    by_2000 = np.concatenate(list(digits("train", 0, 2000, 5).take(2).as_numpy_iterator()))
    np.testing.assert_array_equal(by_2000, by_479[:4000])


def test_labels_belong_to_their_images():
    label_of = dict(zip(names(whole("train_once", labels=True)[0]), whole("train_once", labels=True)[1], strict=True))
    images, labels = next(digits("train", 3, 256, 5, labels=True).as_numpy_iterator())
    np.testing.assert_array_equal(labels, [label_of[name] for name in names(images)])
    np.testing.assert_array_equal(images, next(digits("train", 3, 256, 5).as_numpy_iterator()))
