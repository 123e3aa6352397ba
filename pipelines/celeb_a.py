"""CelebA (Liu et al. 2015), aligned and cropped: 202,599 faces of 178 x 218."""

from collections.abc import Sequence

import gin
import tensorflow as tf

from pipelines.addressing import check_request
from pipelines.pictures import centered, check_shape, maybe_flipped, scaled
from pipelines.prepared import prepared
from pipelines.records import batches

WIDTH = 178


@gin.configurable
def celeb_a(
    split: str,
    start_step: int,
    examples_per_step: int,
    seed: int,
    input_context: tf.distribute.InputContext | None = None,
    *,
    shape: Sequence[int] = gin.REQUIRED,
    crop: int = 160,
    held_out: int = 10_000,
    flip: bool = False,
) -> tf.data.Dataset:
    """float32 [share, H, H, 3] in [-1, 1]: the central square of each face, resized.

    Args:
        split: one of the data set's own splits. "train" (162,770 faces) is endless; "train_once", "validation" and
            "test" are one ordered pass, given to every worker whole.
        start_step: the first step, at least 0.
        examples_per_step: size of the global batch.
        seed: with the epoch, the key of the order and of flips.
        input_context: which share of each batch is read, see `addressing.shares`; None: the whole.
        shape: (H, H, 3).
        crop: side of the square in pixels, at most 178. The papers do not state theirs; 160 is compare_gan's.
        held_out: how many faces of validation, and of test, are used. The papers score against 10,000.
        flip: mirrors half of the training faces left to right (the papers name no augmentation).

    Raises:
        ValueError: if the data set is not prepared, see `prepared.prepared`; and for values out of range.
    """
    parts = {
        "train": "train",
        "train_once": "train",
        "validation": f"validation[:{held_out}]",
        "test": f"test[:{held_out}]",
    }
    check_request(split, start_step, examples_per_step, allowed=tuple(parts))
    check_shape(shape, "celeb_a.shape")
    if not 1 <= crop <= WIDTH:
        raise ValueError(f"celeb_a.crop is {crop}; it must lie in 1..{WIDTH}, the width of the pictures")
    if held_out < 1:
        raise ValueError(f"celeb_a.held_out is {held_out}; it must be at least 1")
    records = prepared("celeb_a", parts[split], features=("image",))

    def decode(record: dict, key: tf.Tensor) -> tf.Tensor:
        image = centered(tf.io.decode_jpeg(record["image"], channels=3), crop)
        return maybe_flipped(scaled(image, shape), key, flip and split == "train")

    return batches(records, decode, split, start_step, examples_per_step, seed, input_context)
