"""What a run would take of this machine's memory, found out before it is taken."""

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from bms_tf.core.examples import is_picture
from bms_tf.core.keras import every_layer, keras

# Where Linux says what a container may take; "max", or a number beyond all memory, where it may take everything.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available() -> int:
    """The bytes that this machine has, or that its container may take."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text()))
    return min(found)


def check(count: int, what: str):
    """Raises ValueError where `count` numbers of 32 bits do not fit this machine; `what` would take them."""
    if 4 * count > available():
        gigabytes = f"{4 * count / 2**30:.3g} GB; this machine has {available() / 2**30:.3g} GB"
        raise ValueError(f"{what} would take {gigabytes}")


@contextlib.contextmanager
def weights_checked() -> Iterator[None]:
    """Inside, a variable that cannot be trained in this machine's memory is refused before it is made.

    Beside each weight there are its gradient and, with Adam, two averages. Raises ValueError.
    """
    numbers = 0

    def create(next_creator, **kwargs):
        nonlocal numbers
        shape = kwargs.get("shape")
        if shape is not None and tf.TensorShape(shape).is_fully_defined():
            numbers += math.prod(tf.TensorShape(shape).as_list())
            check(4 * numbers, f"networks of {numbers:,} weights or more, in training,")
        return next_creator(**kwargs)

    with tf.variable_creator_scope(create):
        yield


def check_batch(networks: Iterable[keras.Model], examples: int):
    """Raises ValueError where what a network's layers make of `examples` examples, kept for its gradient, does not fit.

    Half of it is counted: a layer that only reshapes or activates may write where its input lies.
    """
    for network in networks:
        layers = [layer for layer in every_layer(network) if not isinstance(layer, keras.Model)]  # whose own count
        # A layer inside a wrapper has no shape of its own, an input a list of them; the first size is the batch.
        shapes = [getattr(layer, "output_shape", ()) for layer in layers]
        numbers = sum(math.prod(shape[1:]) for shape in shapes if isinstance(shape, tuple) and shape)
        check(examples * numbers // 2, f"a batch of {examples:,} in the {network.name}")


def check_codes(codes: int, examples: int, size: int):
    """Raises ValueError where `codes` codes of `size` numbers for each of `examples` examples do not fit."""
    check(codes * examples * size, f"{codes:,} codes of each of {examples:,} examples")


def check_samples(samples: int, shape: Sequence[int]):
    """Raises ValueError where so many samples of `shape`, drawn and scored, do not fit.

    Points are kept as float32 and scored in float64; pictures are bytes, there twice while they are gathered. The
    scores of a sample take 80 bytes beside it: its seed, and with eight modes its distances from them.
    """
    values = math.prod(shape) * (2 if is_picture(shape) else 12)
    check(samples * (values + 80) // 4, f"train.samples = {samples:,}, with their scores,")
