"""On what a run trains, as gin names it."""

import functools

import gin
import tensorflow as tf


@gin.configurable
def one_device() -> tf.distribute.Strategy:
    """TensorFlow's default: the first GPU, or the CPU where there is none."""
    return tf.distribute.get_strategy()


@gin.configurable
def mirrored(*, devices: int | None = None) -> tf.distribute.Strategy:
    """One replica on each of the first `devices` GPUs of this machine (None: all), or logical CPUs without a GPU.

    Raises ValueError where there are fewer.
    """
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices is not None and not 1 <= devices <= len(names):
        raise ValueError(f"mirrored.devices is {devices}; this machine has {len(names)} {kind} device(s)")
    return _mirrored(tuple(names[:devices]))


# Once in a process: a second strategy numbers its collective operations from the start again, and TensorFlow then takes
# those of a system with other shapes for its own ("Shape mismatch in the collective instance").
@functools.cache
def _mirrored(names: tuple[str, ...]) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(names)
