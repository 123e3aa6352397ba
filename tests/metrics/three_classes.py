"""A classifier whose answers can be read off the images."""

import numpy as np

from bms_tf.metrics.classifier import Classifier


class ThreeClasses(Classifier):
    """An image's class is its only pixel, and so is its only feature."""

    classes = 3
    accuracy = 0.98
    protocol = {"features": "three_classes", "weights_sha256": "3" * 64, "accuracy": accuracy}

    def predict(self, images):
        return np.asarray(images).reshape(-1).astype(int)

    def features(self, images):
        return np.asarray(images).reshape(-1, 1)
