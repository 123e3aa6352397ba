"""What gin says about a run: its system, data, length and measurements."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import gin
import tensorflow as tf
from matplotlib.figure import Figure

from bms_tf.core import memory
from bms_tf.core.devices import one_device
from bms_tf.core.keras import keras
from bms_tf.core.precision import Precision, computing_in
from bms_tf.core.system import Phase, System

_AT_LEAST_ONE = (
    "generator_updates",
    "batch_size",
    "log_every",
    "evaluate_every",
    "checkpoint_every",
    "keep_checkpoints",
    "samples",
    "steps_per_execution",
    "accumulate",
)


@gin.configurable("train", module="bms_tf")
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """The settings of a run, `train.*` in gin.

    `system(seed=...)`, and `optimizer()` once for each player in the gin scope of its name, are called under
    `devices()`; `modifiers` change the system's phases; `seed` is that of the initial weights, the data and all noise;
    `precision` is what the networks compute in; `accumulate`, `simultaneous`: see `System.compile`.

    `generator_updates`: the length of the run, as the papers count it, rounded up to whole steps; the `*_every`: steps.
    Losses are logged every `log_every` steps and at the end; what else falls due is done at the next of these lines.
    `measuring_share`: of the time, the most that scores may take on the way, and again pictures; `samples`: how many
    samples are scored, beside as many real examples of `floor_split`; `features()`: the network in whose features they
    are compared by metrics that ask for features, None for the numbers as they are; `trackers`:
    called with the run's folder and settings, see `bms_tf.trackers`.

    Raises ValueError for a value out of range.
    """

    system: Callable[..., System] = gin.REQUIRED
    data: Callable[..., tf.data.Dataset] = gin.REQUIRED
    optimizer: Callable[[], keras.optimizers.Optimizer] = gin.REQUIRED
    generator_updates: int = gin.REQUIRED
    batch_size: int = gin.REQUIRED
    modifiers: Sequence[Callable[[System, Phase], Phase]] = ()
    log_every: int = 500
    evaluate_every: int = 5000
    measuring_share: float = 1.0
    checkpoint_every: int = 1000
    keep_checkpoints: int = 3
    metrics: Sequence[Callable[..., Mapping]] = ()
    features: Callable | None = None
    pictures: Sequence[Callable[..., Figure | None]] = ()
    trackers: Sequence[Callable[[str, Mapping[str, str]], keras.callbacks.Callback]] = ()
    samples: int = 2500
    floor_split: str = "validation"
    seed: int = 0
    devices: Callable[[], tf.distribute.Strategy] = one_device
    jit_compile: bool | Literal["auto"] = "auto"
    steps_per_execution: int = 1
    precision: Precision = "float32"
    accumulate: int = 1
    simultaneous: bool = False

    def __post_init__(self):
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"train.{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"train.seed is {self.seed}; it must lie in [0, 2^31)")
        if not 0 <= self.measuring_share <= 1:
            raise ValueError(f"train.measuring_share is {self.measuring_share}; it must lie in [0, 1]")
        replicas = self.strategy.num_replicas_in_sync
        if self.batch_size % (replicas * self.accumulate):
            parts = f"the {replicas} devices" + f" times accumulate = {self.accumulate}" * (self.accumulate > 1)
            raise ValueError(f"train.batch_size is {self.batch_size}; it must be a multiple of {parts}")

    @cached_property
    def strategy(self) -> tf.distribute.Strategy:
        return self.devices()

    def build(self) -> System:
        """The system with its first weights, not compiled."""
        keras.utils.set_random_seed(self.seed)
        with self.strategy.scope(), computing_in(self.precision), memory.weights_checked():
            return self.system(seed=self.seed)

    def compile(self, system: System):
        """Makes `system` ready to train. Raises ValueError where this machine's memory does not hold what it takes."""
        parts = self.strategy.num_replicas_in_sync * self.accumulate
        examples = self.batch_size // parts
        memory.check_batch(system.networks.values(), examples)
        memory.check_codes(system.codes_per_example, examples, system.code_size)
        memory.check_samples(self.samples, system.data_shape)
        with self.strategy.scope(), computing_in(self.precision):
            optimizers = {}
            for player in system.players:
                with gin.config_scope(player):
                    optimizers[player] = self.optimizer()
            system.compile(
                optimizers,
                modifiers=self.modifiers,
                jit_compile=self.jit_compile,
                steps_per_execution=self.steps_per_execution,
                accumulate=self.accumulate,
                simultaneous=self.simultaneous,
            )
