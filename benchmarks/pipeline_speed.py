"""Pictures per second of each pipeline alone, and what it costs inside training: a step over one on a cached batch.

    python benchmarks/pipeline_speed.py [RECIPE ...] > benchmarks/results/pipeline_speed.txt

The data sets of TensorFlow Datasets are stood in for by 300 pictures of coarse noise in their own format. Training is
that of the recipe, on the processor, of which a pipeline takes its share: behind a GPU's step it is hidden.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from bms_tf.core import config, training

COUNT, BATCH, ROUNDS = 300, 64, 5
RNG = np.random.default_rng(0)


def noise(shape):
    """A picture of coarse noise, about as hard to compress as a photograph."""
    height, width, channels = shape
    coarse = RNG.integers(0, 256, (height // 8 + 1, width // 8 + 1, channels), np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]


def example(feature):
    """A value of a feature of TensorFlow Datasets: pictures are noise, all else is empty."""
    if isinstance(feature, tfds.features.FeaturesDict):
        return {name: example(part) for name, part in feature.items()}
    if isinstance(feature, tfds.features.Image):
        return noise(feature.shape)
    return "" if isinstance(feature, tfds.features.Text) else 0


def store(folder):
    """Writes the stand-ins below `folder`."""
    for name in ("cifar10", "mnist", "celeb_a"):
        builder = tfds.builder(name, data_dir=folder)
        examples = [(number, example(builder.info.features)) for number in range(COUNT)]
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=str(builder.version),
            features=builder.info.features,
            split_datasets={"train": examples, "validation": examples[:99], "test": examples[:99]},
            data_dir=folder,
            disable_shuffling=True,
        )
    pictures = pathlib.Path(folder) / "pictures"
    pictures.mkdir()
    for number in range(COUNT):
        Image.fromarray(noise((240, 320, 3))).save(pictures / f"{number}.jpg")


def seconds(iterator, steps):
    """The time of a step, alone."""
    begun = time.perf_counter()
    for _ in range(steps):
        next(iterator)
    return (time.perf_counter() - begun) / steps


def measure(recipe, params):
    """(pictures per second alone, step on the pipeline over step on a cached batch, the latter's seconds)."""
    config.load([f"gin/{recipe}.gin"], [*params, f"train.batch_size = {BATCH}"])
    run = training.Run()
    iterator = iter(run.dataset("train", 0))
    seconds(iterator, 5)  # fills the buffers
    alone = run.examples_per_step / seconds(iterator, 100)
    cached = iter(tf.data.Dataset.from_tensors(next(iterator)).cache().repeat().prefetch(2))
    step = run.system.make_train_function()
    for source in (iterator, cached):
        step(source)  # traces it
    begun = time.perf_counter()
    step(cached)
    steps = max(2, round(2.0 / (time.perf_counter() - begun)))  # two seconds of them
    ratios, floors = [], []
    for _ in range(ROUNDS):  # in turns, as the machine's speed drifts
        times = []
        for source in (iterator, cached):
            begun = time.perf_counter()
            for _ in range(steps):
                step(source)
            times.append((time.perf_counter() - begun) / steps)
        ratios.append(times[0] / times[1])
        floors.append(times[1])
    return alone, statistics.median(ratios), min(floors)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        store(folder)
        prepared = f"prepared.data_dir = '{folder}'"
        held = {"cifar10": "cifar10.held_out = 99", "mnist": "mnist.held_out = 99"}
        settings = {
            "digits": [],
            "stacked_digits": [],
            "cifar10_dcgan": [prepared, held["cifar10"]],
            "stacked_mnist": [prepared, held["mnist"], "stacked_mnist.digits_held_out = 99"],
            "color_mnist": [prepared, held["mnist"], "color_mnist.held_out = 99"],
            "celeba64": [prepared, "celeb_a.held_out = 99"],
            "image_folder": [f"image_folder.folder = '{folder}/pictures'", "image_folder.in_memory = True"],
        }
        print(f"{os.cpu_count()} CPU cores, TensorFlow {tf.__version__}, batch {BATCH}")
        print(f"{'recipe':<16}{'pictures/s alone':>18}{'step / cached batch':>21}{'cached step, ms':>17}")
        for recipe in sys.argv[1:] or settings:
            alone, ratio, floor = measure(recipe, settings[recipe])
            flag = "" if ratio <= 1.05 else "  over 1.05"
            print(f"{recipe:<16}{alone:>18,.0f}{ratio:>21.3f}{1000 * floor:>17,.0f}{flag}", flush=True)


if __name__ == "__main__":
    main()
