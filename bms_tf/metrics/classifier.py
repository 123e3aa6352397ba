"""Scores of images by a small classifier: how often each class appears, and a Frechet distance in its features."""

import abc
import hashlib
import json
import logging
import os
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gin
import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from bms_tf.metrics.energy import finite_parts
from bms_tf.metrics.frechet import frechet_distance
from bms_tf.metrics.kept import read_arrays, write_arrays
from bms_tf.metrics.mixture import kl_from_uniform

MIN_ACCURACY = 0.97
# In sixteenths of the image. Training on moved copies too lifts the accuracy from 98 to 99 %.
SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
ROWS = 1000  # images at a time, in float64


class Classifier(abc.ABC):
    """What tells the classes of images [N, H, W, C] in [-1, 1] apart; `accuracy` (in [0, 1]) is on held-out images."""

    accuracy: float

    @property
    @abc.abstractmethod
    def classes(self) -> int:
        """How many there are."""

    @property
    @abc.abstractmethod
    def protocol(self) -> Mapping[str, Any]:
        """What its answers depend on, in words that JSON has: `features`, its name, and `weights_sha256`."""

    @abc.abstractmethod
    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class of each image, int64 [N]."""

    @abc.abstractmethod
    def features(self, images: np.ndarray) -> np.ndarray:
        """What the classes are told by, [N, F]."""


@dataclass(frozen=True)
class DigitClassifier(Classifier):
    """A trained multilayer perceptron of ReLUs.

    It is also a network in whose features images of several channels are compared, each channel by itself.
    """

    weights: tuple[np.ndarray, ...]  # a layer's [inputs, outputs], its bias [outputs], the next layer's and so on
    accuracy: float

    @property
    def classes(self) -> int:
        return max(2, len(self.weights[-1]))

    @cached_property
    def protocol(self) -> Mapping[str, Any]:
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).data for part in self.weights)).hexdigest()
        return {"features": "digit_classifier", "weights_sha256": digest, "accuracy": round(self.accuracy, 4)}

    def features(self, images: np.ndarray) -> np.ndarray:
        """Activations of the last hidden layer, [N, F]."""
        parts = np.array_split(images, -(-len(images) // ROWS) or 1)
        return np.concatenate([self._hidden(np.asarray(part, np.float64)) for part in parts])

    def _hidden(self, images: np.ndarray) -> np.ndarray:
        hidden = images.reshape(len(images), -1)
        for weights, bias in zip(self.weights[:-2:2], self.weights[1:-2:2], strict=True):
            hidden = np.maximum(hidden @ weights + bias, 0)
        return hidden

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Class scores before the softmax, [N, K]."""
        scores = self.features(images) @ self.weights[-2] + self.weights[-1]
        return np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores  # logistic

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class of each image, int64 [N]."""
        return self.logits(images).argmax(axis=1)

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Features [N, C * F] of images [N, H, W, C], and logits [N, K] where they have one channel."""
        channels = np.split(x, x.shape[-1], axis=-1)
        answer = {"features": np.hstack([self.features(channel) for channel in channels])}
        return answer | ({"logits": self.logits(x)} if len(channels) == 1 else {})


def _read(data: Callable, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*data(split, 0, 500, 0, labels=True).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@gin.configurable
def digit_classifier(*, data: Callable, seed: int = 0) -> DigitClassifier:
    """Trains a small multilayer perceptron, or reads it from the cache if it was already trained on the same data.

    The cache is `bms_tf` in $XDG_CACHE_HOME or ~/.cache; a damaged file there is replaced.

    Args:
        data: a pipeline with the splits "train_once" and "test" that takes `labels=True`, such as
            `pipelines.digits.digits`, with the labels 0 .. K - 1.
        seed: of the network's initial weights and the order of training.

    Raises:
        RuntimeError: if the accuracy on the test split is under 97 %.
    """
    network = MLPClassifier(hidden_layer_sizes=(128, 64), alpha=1e-2, tol=1e-3, random_state=seed)
    train, test = _read(data, "train_once"), _read(data, "test")
    about = json.dumps([SHIFTS, sorted(network.get_params().items()), sklearn.__version__, np.__version__])
    digest = hashlib.sha256(about.encode())
    for array in (*train, *test):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    path = cache_folder() / f"digit_classifier_{digest.hexdigest()}.npz"

    try:
        *weights, accuracy = read_arrays(path)
        return DigitClassifier(tuple(weights), float(accuracy))
    except FileNotFoundError:
        pass
    except ValueError as error:
        logging.warning("%s: training it again", error)

    sixteenth = train[0].shape[1] // 16
    shifted = [np.roll(train[0], np.multiply(shift, sixteenth), axis=(1, 2)) for shift in SHIFTS]
    images = np.concatenate(shifted).astype(np.float64)
    network.fit(images.reshape(len(images), -1), np.tile(train[1], len(SHIFTS)))
    weights = tuple(part for layer in zip(network.coefs_, network.intercepts_, strict=True) for part in layer)
    accuracy = float((DigitClassifier(weights, 0.0).predict(test[0]) == test[1]).mean())
    if accuracy < MIN_ACCURACY:
        raise RuntimeError(f"the classifier has an accuracy of {accuracy:.3f}: it must have {MIN_ACCURACY}")
    write_arrays(path, (*weights, np.array(accuracy)))
    return DigitClassifier(weights, accuracy)


def cache_folder() -> pathlib.Path:
    """Where the user's caches are."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bms_tf"


def words_of(classifier: Classifier) -> dict[str, str]:
    """What a score by a classifier adds to its protocol."""
    return {name: str(value) for name, value in classifier.protocol.items()}


def features_of(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """The features [N, F] of the images that are finite."""
    return np.concatenate([classifier.features(part) for part in finite_parts(images)])


@gin.configurable
def class_scores(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, classifier: Classifier
) -> dict[str, float | str]:
    """Scores of images by what a classifier sees in them.

    It sees lost classes, and shares of classes that are not equal. It does not see what the classifier ignores: every
    finite image counts for some class.

    Args:
        samples: [N, H, W, C] in [-1, 1]. An image that is not finite has no class and no features.
        reference: test images, [M, H, W, C]. The training images as samples give the floor of the Frechet distance.
        seed: not used: nothing here is random.
        classifier: see `digit_classifier`.

    Returns:
        class_0_percent, ...: samples of each class, in percent of all samples. class_min_percent and class_max_percent
            are the least and the most of them.
        classes: how many classes have at least one sample.
        class_kl: KL of the histogram over classes from uniform, in nats; log K when no sample has a class.
        frechet_classifier_distance: between the features of samples and reference. It is not FID, as these are not
            Inception's features. NaN with fewer than two finite samples.
        classifier_accuracy: the classifier's accuracy, in [0, 1], on images it has not seen: how far one can trust it.
        features, weights_sha256 and more: what the protocol says of the classifier.

    Raises:
        ValueError: if there are no samples.
    """
    if not len(samples):
        raise ValueError(f"samples of shape {np.shape(samples)}: there must be at least one")
    found = [classifier.predict(images) for images in finite_parts(samples)]
    counts = np.bincount(np.concatenate([np.zeros(0, int), *found]), minlength=classifier.classes)
    percent = 100 * counts / len(samples)
    distance = np.nan
    if counts.sum() > 1:
        distance = frechet_distance(*(features_of(classifier, images) for images in (samples, reference)))
    return {
        **{f"class_{k}_percent": float(share) for k, share in enumerate(percent)},
        "class_min_percent": float(percent.min()),
        "class_max_percent": float(percent.max()),
        "classes": float(np.count_nonzero(counts)),
        "class_kl": kl_from_uniform(counts),
        "frechet_classifier_distance": float(distance),
        "classifier_accuracy": classifier.accuracy,
        **words_of(classifier),
    }


class_scores.needs = "rows"
class_scores.better = {"classes": "higher", "class_kl": "lower", "frechet_classifier_distance": "lower"}
