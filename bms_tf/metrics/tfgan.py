"""tensorflow-gan's evaluation, which metrics call where it runs: on TensorFlow 2.15, eagerly and so never under XLA."""

import logging
import warnings
from collections.abc import Callable
from functools import cache
from types import ModuleType


@cache
def tensorflow_gan() -> ModuleType | None:
    """tensorflow-gan's `eval`; none on newer versions of TensorFlow, where the metrics' own code takes its place."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # of TensorFlow Hub
        try:
            import tensorflow_gan  # pyright: ignore[reportMissingImports], Python 3.11 alone has it
        except ImportError:
            return None
    # Seven lines on an argument that it gives to `tf.map_fn`.
    logging.getLogger("tensorflow").addFilter(lambda record: "back_prop=False" not in record.getMessage())
    return tensorflow_gan.eval


def laplacian_pyramid() -> Callable | None:
    """tensorflow-gan's function of that name, which is not in `eval`; or none."""
    if tensorflow_gan() is None:
        return None
    from tensorflow_gan.python.eval.sliced_wasserstein import laplacian_pyramid  # pyright: ignore[reportMissingImports]

    return laplacian_pyramid
