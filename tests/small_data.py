"""Data sets of few random pictures, prepared as TensorFlow Datasets prepares the whole ones."""

import contextlib
import sys
from collections.abc import Sequence

import numpy as np

SHAPES = {"cifar10": (32, 32, 3), "mnist": (28, 28, 1), "celeb_a": (218, 178, 3)}


def prepare(folder: str, names: Sequence[str] = tuple(SHAPES)):
    """Writes data sets into `folder`: 20 pictures for training, and 6 in each other split."""
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    for name in names:
        builder = tfds.builder(name, data_dir=folder)

        def example(split, number, shape=SHAPES[name], features=builder.info.features):
            image = rng.integers(0, 256, shape, np.uint8)
            if "label" in features:
                return {"image": image, "label": number % 10} | (
                    {"id": f"{split}_{number}"} if "id" in features else {}
                )
            boxes = {feature: dict.fromkeys(features[feature], 0) for feature in ("attributes", "landmarks")}
            return {"image": image, "identity": {"Identity_No": number}, **boxes}

        sizes = {split: 20 if split == "train" else 6 for split in ("train", "validation", "test")}
        if name != "celeb_a":
            del sizes["validation"]
        with contextlib.redirect_stdout(sys.stderr):  # it speaks of a download
            tfds.dataset_builders.store_as_tfds_dataset(
                name=name,
                version=str(builder.version),
                features=builder.info.features,
                split_datasets={split: [(n, example(split, n)) for n in range(sizes[split])] for split in sizes},
                data_dir=folder,
                disable_shuffling=True,
            )
