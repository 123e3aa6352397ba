"""The input pipelines of the package `pipelines`, so that a program needs one import."""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from pipelines.celeb_a import celeb_a
    from pipelines.cifar10 import cifar10
    from pipelines.color_mnist import color_mnist
    from pipelines.digits import digits
    from pipelines.grid import grid, grid_centers
    from pipelines.high_dim import high_dim, high_dim_centers
    from pipelines.image_folder import image_folder
    from pipelines.mnist import mnist
    from pipelines.ring import ring, ring_centers
    from pipelines.stacked_digits import stacked_digits
    from pipelines.stacked_mnist import stacked_mnist

__all__ = [
    "celeb_a",
    "cifar10",
    "color_mnist",
    "digits",
    "grid",
    "grid_centers",
    "high_dim",
    "high_dim_centers",
    "image_folder",
    "mnist",
    "ring",
    "ring_centers",
    "stacked_digits",
    "stacked_mnist",
]

lazy.attach(__name__)
