"""A classifier of images that is trained here: for class scores, for the Inception score, and as a feature network."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.metrics.classifier import Classifier, cache_folder
from bms_tf.metrics.kept import read_arrays, write_arrays

ROWS = 250  # images at a time


class ImageClassifier(Classifier):
    """A trained Keras model of class scores.

    The features are what its last layer is given. As a network of features it takes each channel of an image by itself
    where it was trained on images of one channel.
    """

    def __init__(self, model: keras.Model, accuracy: float):
        self.accuracy = accuracy
        self._model = model
        self._function = tf.function(keras.Model(model.input, [model.layers[-1].input, model.output]))

    @property
    def classes(self) -> int:
        return self._model.output_shape[-1]

    @property
    def protocol(self) -> Mapping[str, Any]:
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(weight).data for weight in self._model.get_weights()))
        known = {"weights_sha256": digest.hexdigest(), "accuracy": round(self.accuracy, 4)}
        return {"features": "image_classifier", **known}

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class of each image, int64 [N]."""
        return self._outputs(images)[1].argmax(axis=1)

    def features(self, images: np.ndarray) -> np.ndarray:
        """What the last layer is given, [N, F]."""
        return self._outputs(images)[0]

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Features [N, F], those of several channels side by side, and logits [N, K] of images as it was trained on."""
        if x.shape[-1] == self._model.input_shape[-1]:
            features, logits = self._outputs(x)
            return {"features": features, "logits": logits}
        return {"features": np.hstack([self.features(c) for c in np.split(x, x.shape[-1], axis=-1)])}

    def _outputs(self, images: np.ndarray) -> list[np.ndarray]:
        parts = [images[i : i + ROWS] for i in range(0, len(images), ROWS)]
        answers = [self._function(tf.constant(np.asarray(part, np.float32)), training=False) for part in parts]
        return [np.concatenate(arrays) for arrays in zip(*answers, strict=True)]


@gin.configurable
def image_classifier(
    *,
    data: Callable[..., tf.data.Dataset],
    network: Callable[..., keras.Model],
    steps: int,
    min_accuracy: float,
    classes: int = 10,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> ImageClassifier:
    """Trains `network` by Adam with a cosine decay, or reads its weights from the user's cache if it was trained there.

    Args:
        data: a pipeline with the splits "train" and "test" that takes `labels=True`, the labels in 0 .. classes - 1.
        network: `network(input_shape=(H, W, C), output_shape=(classes,))`, its last layer the class scores before the
            softmax.
        steps: of training.
        min_accuracy: on the test split, in [0, 1].
        classes: how many there are.
        batch_size: of training.
        learning_rate: it begins with this and falls to 0.
        seed: of the initial weights and the order of training.

    Raises:
        RuntimeError: if its accuracy is less.
    """
    train, test = data("train", 0, batch_size, seed, labels=True), data("test", 0, ROWS, seed, labels=True)
    keras.utils.set_random_seed(seed)
    model = network(input_shape=tuple(train.element_spec[0].shape[1:]), output_shape=(classes,))
    images, labels = (np.concatenate(part) for part in zip(*test.as_numpy_iterator(), strict=True))
    layers = re.sub(r'_\d+"', '"', model.to_json())  # without the numbers that Keras gives to layers of equal names
    about = [layers, steps, batch_size, learning_rate, seed, tf.__version__]
    digest = hashlib.sha256(json.dumps(about).encode())
    for array in (images, labels, *next(train.take(1).as_numpy_iterator())):
        digest.update(np.ascontiguousarray(array).data)
    path = cache_folder() / f"image_classifier_{digest.hexdigest()}.npz"
    try:
        *weights, accuracy = read_arrays(path)
        model.set_weights(weights)
        return ImageClassifier(model, float(accuracy))
    except FileNotFoundError:
        pass
    except ValueError as error:
        logging.warning("%s: training it again", error)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    name = getattr(data, "__name__", "the data")
    print(f"training a classifier on {name}: {steps} steps, once; it is then kept in {path.parent}")
    model.fit(train, steps_per_epoch=steps, verbose=2)
    classifier = ImageClassifier(model, 0.0)
    classifier.accuracy = float((classifier.predict(images) == labels).mean())
    print(f"its accuracy on {len(labels)} test images is {classifier.accuracy:.4f}")
    if classifier.accuracy < min_accuracy:
        raise RuntimeError(f"the classifier has an accuracy of {classifier.accuracy:.4f}: it must have {min_accuracy}")
    write_arrays(path, (*model.get_weights(), np.array(classifier.accuracy)))
    return classifier
