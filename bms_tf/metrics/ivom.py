"""Inference via optimization (IvOM): how close to each test example the generator can come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gin
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from matplotlib.figure import Figure
from tqdm import tqdm

from bms_tf.core.model import Model
from bms_tf.metrics.batches import in_batches, required, seeds
from bms_tf.metrics.drawing import grid

BATCH = 100
GRADIENT_TOLERANCE = 1e-4
VALUE_TOLERANCE = 1e-6
CORRECTIONS = 20  # pairs that L-BFGS remembers; with 10 it was further from the minimum after as many evaluations
SHOWN = 10


@dataclass(frozen=True)
class Closest:
    """For N examples: the best codes [N, Z], what they give [N, ...], its mean squared error [N] in the data's unit,
    and whether the search had converged [N]."""

    codes: np.ndarray
    examples: np.ndarray
    errors: np.ndarray
    converged: np.ndarray


@gin.configurable
def ivom(
    model: Model,
    reference: np.ndarray,
    *,
    seed: int,
    examples: int = 1000,
    starts: int = 3,
    screening: int = 30,
    iterations: int = 300,
) -> dict[str, float | Figure]:
    """How close the generator can come to test examples, by optimization of its code.

    Srivastava et al., VEEGAN (2017), section 5.3: if the generator lost a mode, the test examples of that mode are far
    from all that it can generate. Here each example is optimized by itself. L-BFGS starts from several codes of the
    prior, and then follows the best one until it converges. The code may leave the region where the prior has its mass;
    `ivom_code_rms` says how far.

    It sees test examples that the generator cannot make from any code. It does not see how often it makes them, or what
    else it makes.

    Args:
        model: with `generate` and `sample_prior`.
        reference: test examples [N, ...], of which the first `examples` are taken; images [N, H, W, C] in [-1, 1].
        seed: of the codes to start from.
        examples: how many.
        starts: the number of codes of the prior from which each search starts.
        screening: iterations from each of them ...
        iterations: ... and at most this many from the best one on.

    Returns:
        ivom: the mean squared error of the closest generated example, averaged over the test examples. Images count in
            [0, 1], as in the papers' tables, all else in the data's squared unit. ivom_std: its standard error over the
            examples.
        ivom_converged_percent: the share of examples whose search converged: its gradient fell below 1e-4, or its last
            step lowered the squared error by less than 1e-6 of it.
        ivom_code_rms: root mean square of the codes that were found. A code of the prior has 1.
        closest: for images, a picture of the first ones over the closest that were found.

    Raises:
        ValueError: if the model has no `generate` or `sample_prior`, or for a count below 1.
    """
    counts = {"examples": examples, "starts": starts, "screening": screening, "iterations": iterations}
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"ivom.{name} is {count}; it must be at least 1")
    x = np.asarray(reference[:examples], np.float32)
    found = closest(model, x, seed=seed, starts=starts, screening=screening, iterations=iterations)
    pictures = x.ndim == 4
    errors = found.errors / 4 if pictures else found.errors  # [-1, 1] is twice as wide as [0, 1]
    scores = {
        "ivom": float(errors.mean()),
        "ivom_std": float(errors.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else np.nan,
        "ivom_converged_percent": 100 * float(found.converged.mean()),
        "ivom_code_rms": float(np.sqrt(np.mean(found.codes**2))),
    }
    return scores | ({"closest": side_by_side(x, {"closest": found.examples})} if pictures else {})


ivom.better = {"ivom": "lower"}


def side_by_side(images: np.ndarray, closest: Mapping[str, np.ndarray], shown: int = SHOWN) -> Figure:
    """The first test images [N, H, W, C], one a column, over what each model, by name, has closest to them."""
    rows = [images[:shown], *(found[:shown] for found in closest.values())]
    return grid(np.concatenate(rows), min(shown, len(images)), f"from the top: test images, {', '.join(closest)}")


def closest(model: Model, x: np.ndarray, *, seed: int, starts: int, screening: int, iterations: int) -> Closest:
    """The search of `ivom` for examples x, float32 [N, ...]."""
    generate, sample_prior = required(model, "ivom", "generate", "sample_prior")
    codes = in_batches(sample_prior, seeds(seed, len(x) * starts))
    codes = codes.astype(np.float32).reshape(len(x), starts, -1)
    search = _search(generate, codes.shape[-1], x.shape[1:])
    parts = []
    for i in tqdm(range(0, len(x), BATCH), desc="IvOM", unit=f" x {BATCH} examples", delay=5, disable=None):
        target, begun = tf.constant(x[i : i + BATCH]), codes[i : i + BATCH]
        count = len(begun)
        first = search(begun.reshape(-1, begun.shape[-1]), tf.repeat(target, starts, axis=0), screening)
        values = first.objective_value.numpy().reshape(count, starts)
        best = np.nan_to_num(values, nan=np.inf).argmin(axis=1)
        chosen = first.position.numpy().reshape(begun.shape)[np.arange(count), best]
        last = search(chosen, target, iterations)
        parts.append((last.position, last.objective_value, last.converged))
    positions, values, converged = (np.concatenate(column) for column in zip(*parts))
    errors = values.astype(np.float64) * 2 / np.prod(x.shape[1:])
    return Closest(positions, in_batches(generate, positions), errors, converged)


def _search(generate: Callable, code_size: int, shape: tuple[int, ...]) -> Callable:
    """L-BFGS on half the squared error, for all rows at once."""
    specs = [([None, code_size], tf.float32), ([None, *shape], tf.float32), ([], tf.int32)]

    @tf.function(input_signature=[tf.TensorSpec(*spec) for spec in specs], autograph=False)
    def search(codes, target, iterations):
        def value_and_gradient(z):
            with tf.GradientTape() as tape:
                tape.watch(z)
                value = 0.5 * tf.reduce_sum((generate(z) - target) ** 2, axis=range(1, 1 + len(shape)))
            return value, tape.gradient(value, z)

        return tfp.optimizer.lbfgs_minimize(
            value_and_gradient,
            codes,
            num_correction_pairs=CORRECTIONS,
            tolerance=GRADIENT_TOLERANCE,
            f_relative_tolerance=VALUE_TOLERANCE,
            max_iterations=iterations,
        )

    return search
