"""A system beside its data: samples, scores and pictures."""

from functools import cached_property

import numpy as np
import tensorflow as tf

from bms_tf.core.recipe import Recipe
from bms_tf.core.system import System


class Measured:
    """A system in whatever state it is, and what a recipe measures of it."""

    def __init__(self, recipe: Recipe, system: System):
        self.recipe, self.system = recipe, system
        self._sample = tf.function(system.sample)
        self._reconstruct = tf.function(system.reconstruct) if "reconstruct" in system.offers else None

    @property
    def examples_per_step(self) -> int:
        """How many examples an element of a data set has."""
        return self.recipe.batch_size

    def dataset(self, split: str, start_step: int, input_context=None) -> tf.data.Dataset:
        return self.recipe.data(split, start_step, self.examples_per_step, self.recipe.seed, input_context)

    def check_data(self):
        """Raises ValueError where system and data do not fit, or there is no such split."""
        example = tuple(self.dataset("train", 0).element_spec.shape[1:])
        if example != self.system.data_shape:
            raise ValueError(f"the data has examples of shape {example}; the generator makes {self.system.data_shape}")
        for split in ("test", self.recipe.real_split):
            self.dataset(split, 0)

    def draw_samples(self) -> np.ndarray:
        """`samples` samples, the same codes every time."""
        samples = self.recipe.samples
        seeds = self.recipe.seed * 2**32 + np.arange(samples, dtype=np.int64)
        return np.concatenate([self._sample(part).numpy() for part in np.array_split(seeds, -(-samples // 500))])

    @cached_property
    def reference(self) -> np.ndarray:
        """The test split."""
        return np.concatenate(list(self.dataset("test", 0).as_numpy_iterator()))

    def scores(self, samples: np.ndarray) -> dict[str, float]:
        """Every metric of `samples`."""
        seed = self.recipe.seed
        return {k: v for metric in self.recipe.metrics for k, v in metric(samples, self.reference, seed=seed).items()}

    def sample_scores(self) -> dict[str, float]:
        """Every metric of `draw_samples()`."""
        return self.scores(self.draw_samples())

    def real_scores(self) -> dict[str, float]:
        """Every metric of as many examples of `real_split`: what a perfect generator would get."""
        count = self.recipe.samples
        examples = self.dataset(self.recipe.real_split, 0).unbatch().take(count).batch(count)
        return self.scores(next(examples.as_numpy_iterator()))

    def figures(self) -> dict:
        """Every picture, by name."""
        samples, reference = self.draw_samples(), self.reference
        reconstruct = self._reconstruct and (lambda x: self._reconstruct(x).numpy())
        figures = {picture.__name__: picture(samples, reference, reconstruct) for picture in self.recipe.pictures}
        return {name: figure for name, figure in figures.items() if figure is not None}
