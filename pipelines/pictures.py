"""From pixels in 0..255 to examples in [-1, 1]: what all pipelines of pictures do."""

from collections.abc import Sequence

import tensorflow as tf


def check_shape(shape: Sequence[int], name: str, channels: Sequence[int] = (3,)) -> None:
    """Raises ValueError unless `shape` is that of square pictures [H, H, C] with C among `channels`."""
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] < 1 or shape[2] not in channels:
        allowed = " or ".join(map(str, channels))
        raise ValueError(f"{name} is {tuple(shape)}; it must be (H, H, C), square, with C = {allowed}")


def centered(image: tf.Tensor, side: int | None) -> tf.Tensor:
    """The central square [side, side, C] of an image [H, W, C]; None takes the largest one."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width) if side is None else side
    return tf.image.crop_to_bounding_box(image, (height - side) // 2, (width - side) // 2, side, side)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """The image [H, W, C] as it was seen: turned and mirrored as Exif's orientation, int [] in 1..8, asks for."""
    rows_are_columns = orientation >= 5
    from_the_right = tf.reduce_any(orientation == [2, 3, 6, 7])
    from_below = tf.reduce_any(orientation == [3, 4, 7, 8])
    image = tf.cond(rows_are_columns, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(from_the_right, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(from_below, lambda: tf.reverse(image, [0]), lambda: image)


def scaled(image: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Pixels in 0..255 as float32 of `shape` in [-1, 1], resized bilinearly with an antialiasing filter."""
    if image.shape != tuple(shape):
        # The filter's weights add up to 1 but for rounding.
        image = tf.clip_by_value(tf.image.resize(image, shape[:2], antialias=True), 0.0, 255.0)
    return tf.ensure_shape(tf.cast(image, tf.float32) / 127.5 - 1.0, shape)


def maybe_flipped(image: tf.Tensor, key: tf.Tensor, flip: bool) -> tf.Tensor:
    """The image [H, W, C]; with `flip` mirrored left to right for half of all keys (int64 [2])."""
    return tf.image.stateless_random_flip_left_right(image, key) if flip else image
