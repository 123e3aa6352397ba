"""A system beside its data: samples, scores and pictures."""

import hashlib
from functools import cached_property

import numpy as np
import tensorflow as tf

from bms_tf.core.examples import Rows, gathered, is_picture
from bms_tf.core.random import require_size
from bms_tf.core.recipe import Recipe
from bms_tf.core.scoring import Scoring
from bms_tf.core.system import System, check_batch


class Measured:
    """A system in whatever state it is, and what a recipe measures of it."""

    def __init__(self, recipe: Recipe, system: System):
        self.recipe, self.system = recipe, system
        self._sample = tf.function(system.sample, autograph=False)  # which takes a second to read a few functions
        self._scoring = Scoring(recipe.metrics, recipe.features, system, seed=recipe.seed)
        offers = "reconstruct" in system.offers
        self._reconstruct = tf.function(system.reconstruct, autograph=False) if offers else None

    @property
    def examples_per_step(self) -> int:
        """How many examples an element of a data set has."""
        return self.recipe.batch_size

    def dataset(self, split: str, start_step: int, input_context=None) -> tf.data.Dataset:
        """The data of the recipe. tf.data does not tune it: AUTOTUNE is a thread for each core, up to 16."""
        options = tf.data.Options()
        # An iterator that ends waits for its tuner, for up to a minute, as that may sleep through the wake-up call.
        options.autotune.enabled = False
        data = self.recipe.data(split, start_step, self.examples_per_step, self.recipe.seed, input_context)
        if not isinstance(data, tf.data.Dataset):
            raise ValueError(f"train.data gives {type(data).__name__}; it must give a tf.data.Dataset")
        return data.with_options(options)

    @cached_property
    def training_data(self) -> tf.data.Dataset:
        """The training data from the first step on: several ask for it, and each data set is traced anew."""
        return self.dataset("train", 0)

    @cached_property
    def first_batch(self) -> np.ndarray:
        return next(self.training_data.as_numpy_iterator())

    def check_data(self):
        """Raises ValueError where system and data do not fit, or there is no such split."""
        spec = self.training_data.element_spec
        check_batch(spec)
        require_size(spec.shape[0])
        example = tuple(spec.shape[1:])
        if example != self.system.data_shape:
            raise ValueError(f"the data has examples of shape {example}; the generator makes {self.system.data_shape}")
        low, high = self.first_batch.min(), self.first_batch.max()
        if is_picture(example) and max(-low, high) > 1.1:  # resizing and noise may go a little further
            raise ValueError(f"the data has pictures with values in [{low:.4g}, {high:.4g}]; they must lie in [-1, 1]")
        for split in ("test", self.recipe.floor_split):
            self.dataset(split, 0)

    def draw_samples(self) -> np.ndarray | Rows:
        """`samples` samples, the same codes every time."""
        samples = self.recipe.samples
        seeds = self.recipe.seed * 2**32 + np.arange(samples, dtype=np.int64)
        return gathered(self._sample(part).numpy() for part in np.array_split(seeds, -(-samples // 500)))

    @cached_property
    def _test_split(self) -> tuple[np.ndarray | Rows, str]:
        """The test split and the SHA-256 of its float32 numbers."""
        digest = hashlib.sha256()

        def batches():
            for x in self.dataset("test", 0).as_numpy_iterator():
                digest.update(np.ascontiguousarray(x).data)
                yield x

        return gathered(batches()), digest.hexdigest()

    @property
    def reference(self) -> np.ndarray | Rows:
        """The test split."""
        return self._test_split[0]

    @property
    def reference_sha256(self) -> str:
        return self._test_split[1]

    def scores(self, samples: np.ndarray | Rows) -> dict[str, float]:
        """Every metric of `samples`."""
        return self._scoring.scores(samples, self.reference)

    def sample_scores(self) -> dict[str, float]:
        """Every metric of `draw_samples()`."""
        return self.scores(self.draw_samples())

    def real_scores(self) -> dict[str, float]:
        """Every metric of as many examples of `floor_split`, which is what a perfect generator would get."""
        examples = self.dataset(self.recipe.floor_split, 0).unbatch().take(self.recipe.samples).batch(500)
        return self._scoring.scores(gathered(examples.as_numpy_iterator()), self.reference, real=True)

    def figures(self) -> dict:
        """Every picture, by name."""
        samples, reference = self.draw_samples(), self.reference
        reconstruct = self._reconstruct
        in_numpy = reconstruct and (lambda x: reconstruct(x).numpy())
        figures = {picture.__name__: picture(samples, reference, in_numpy) for picture in self.recipe.pictures}
        return {name: figure for name, figure in figures.items() if figure is not None}
