"""Scores of images by a small classifier: how often each class appears, and a Frechet distance in its features."""

import dataclasses
import logging
import os
import pathlib
import tempfile
from collections.abc import Callable

import gin
import joblib
import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from bms_tf.metrics.energy import finite_rows
from bms_tf.metrics.frechet import frechet_distance
from bms_tf.metrics.mixture import kl_from_uniform

MIN_ACCURACY = 0.97
# In sixteenths of the image. Training on moved copies too lifts the accuracy from 98 to 99 %.
SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


@dataclasses.dataclass(frozen=True)
class DigitClassifier:
    """A trained classifier of images [N, H, W, C] in [-1, 1]; `accuracy` (in [0, 1]) is on held-out images."""

    network: MLPClassifier
    accuracy: float

    @property
    def classes(self) -> int:
        return len(self.network.classes_)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class of each image, int64 [N]."""
        return self.network.predict(_flat(images))

    def features(self, images: np.ndarray) -> np.ndarray:
        """Activations of the last hidden layer, [N, F]."""
        hidden = _flat(images)
        for weights, bias in zip(self.network.coefs_[:-1], self.network.intercepts_[:-1], strict=True):
            hidden = np.maximum(hidden @ weights + bias, 0)  # scikit-learn's default activation
        return hidden


def _flat(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1)


def _read(data: Callable, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*data(split, 0, 500, 0, labels=True).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@gin.configurable
def digit_classifier(*, data: Callable, cache_dir: str | None = None, seed: int = 0) -> DigitClassifier:
    """Trains a small multilayer perceptron, or reads it from the cache if it was trained before on the same data.

    Args:
        data: a pipeline with the splits "train_once" and "test" that takes `labels=True`, such as
            `pipelines.digits.digits`.
        cache_dir: by default `bms_tf` in $XDG_CACHE_HOME or ~/.cache. A damaged file there is replaced.
        seed: of the network's initial weights and the order of training.

    Raises:
        RuntimeError: if its accuracy on the test split is under 97 %.
    """
    network = MLPClassifier(hidden_layer_sizes=(128, 64), alpha=1e-2, tol=1e-3, random_state=seed)
    train, test = _read(data, "train_once"), _read(data, "test")
    key = joblib.hash((train, test, SHIFTS, network.get_params(), sklearn.__version__, np.__version__))
    root = cache_dir or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bms_tf")
    path = pathlib.Path(root).expanduser() / f"digit_classifier_{key}.joblib"

    try:
        return DigitClassifier(*joblib.load(path))
    except FileNotFoundError:
        pass
    except Exception as error:  # reading a damaged pickle can raise anything
        logging.warning("%s cannot be read (%s): training it again", path, error)

    sixteenth = train[0].shape[1] // 16
    shifted = [np.roll(train[0], np.multiply(shift, sixteenth), axis=(1, 2)) for shift in SHIFTS]
    network.fit(_flat(np.concatenate(shifted)), np.tile(train[1], len(SHIFTS)))
    classifier = DigitClassifier(network, accuracy=float(network.score(_flat(test[0]), test[1])))
    if classifier.accuracy < MIN_ACCURACY:
        raise RuntimeError(f"the classifier has an accuracy of {classifier.accuracy:.3f}: it must have {MIN_ACCURACY}")
    _write(classifier, path)
    return classifier


def _write(classifier: DigitClassifier, path: pathlib.Path) -> None:
    """Writes beside the path and renames, so that no reader sees half a file. An unwritable cache costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            joblib.dump((classifier.network, classifier.accuracy), file)
        os.replace(file.name, path)
    except OSError as error:
        logging.warning("%s cannot be written (%s): the classifier is trained anew each time", path, error)


@gin.configurable
def class_scores(
    samples: np.ndarray, reference: np.ndarray, *, seed: int, classifier: DigitClassifier
) -> dict[str, float]:
    """Scores of images by what a classifier sees in them.

    Args:
        samples: [N, H, W, C] in [-1, 1]. An image that is not finite has no class and no features.
        reference: test images, [M, H, W, C]. The training images as samples give the floor of the Frechet distance.
        seed: not used: nothing here is random.
        classifier: see `digit_classifier`.

    Returns:
        class_0_percent, ...: samples of each class, in percent of all samples; the least and the most of them as
            class_min_percent and class_max_percent.
        classes: how many classes have at least one sample.
        class_kl: KL of the histogram over classes from uniform, in nats; log K when no sample has a class.
        frechet_classifier_distance: between the features of samples and reference (not FID: these are not Inception's
            features); NaN with fewer than two finite samples.
        classifier_accuracy: of the classifier, in [0, 1], on images it has not seen: how far its word counts.

    Raises:
        ValueError: if there are no samples.
    """
    if not len(samples):
        raise ValueError(f"samples of shape {np.shape(samples)}: there must be at least one")
    images = finite_rows(samples)
    # scikit-learn refuses empty sets.
    predicted = classifier.predict(images) if len(images) else np.zeros(0, int)
    counts = np.bincount(predicted, minlength=classifier.classes)
    percent = 100 * counts / len(samples)
    distance = np.nan
    if len(images) > 1:
        distance = frechet_distance(classifier.features(images), classifier.features(reference))
    return {
        **{f"class_{k}_percent": float(share) for k, share in enumerate(percent)},
        "class_min_percent": float(percent.min()),
        "class_max_percent": float(percent.max()),
        "classes": float(np.count_nonzero(counts)),
        "class_kl": kl_from_uniform(counts),
        "frechet_classifier_distance": float(distance),
        "classifier_accuracy": classifier.accuracy,
    }
