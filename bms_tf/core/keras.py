"""The one place that picks Keras: `tf.keras` where that is Keras 2 (TensorFlow 2.15), `tf_keras` on newer TensorFlow.

Everything else writes `from bms_tf.core.keras import keras`. No environment variable is set, so a program that
imports us keeps its own Keras. What is private in Keras is used here alone.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING or not tf.__version__.startswith("2.15."):
    import tf_keras as keras
else:
    keras = tf.keras

Schedule = keras.optimizers.schedules.LearningRateSchedule


def require_same_keras(obj: Any, what: str) -> None:
    """Checks that `obj`, named `what` in the message, is a layer, model, metric or optimizer of our Keras.

    Raises:
        ValueError: it is not; beside a new TensorFlow, plain `import keras` gives Keras 3, whose objects do not fit.
    """
    if not isinstance(obj, (keras.layers.Layer, keras.optimizers.Optimizer)):
        received = f"{type(obj).__module__}.{type(obj).__name__}"
        raise ValueError(f"{what} must come from `from bms_tf.core.keras import keras` (Keras 2), received {received}.")


def every_layer(network: keras.layers.Layer) -> list[keras.layers.Layer]:
    """`network`, the layers in it, and those in them, at any depth."""
    return list(network._flatten_layers())


def track_sub_layers(network: keras.layers.Layer) -> None:
    """Has `network` take in all layers that it is given from now on. A Sequential has those of its stack alone."""
    network._auto_track_sub_layers = True


def rename(network: keras.Model, name: str) -> None:
    """Gives `network` the name that summaries show."""
    network._name = name


def set_policy(layer: keras.layers.Layer, policy: Any) -> None:
    """Lets a layer that was made compute in another precision."""
    layer._set_dtype_policy(policy)


def is_cast(weight: tf.Variable) -> bool:
    """Whether Keras has put a variable around `weight` that casts where its layer is called."""
    return hasattr(weight, "true_dtype")


def replace_schedule(optimizer: keras.optimizers.Optimizer, change: Callable[[Schedule], Schedule]) -> None:
    """Replaces an optimizer's schedule, if it has one, by `change(schedule)`. Keras itself lets none be set."""
    if isinstance(optimizer._learning_rate, Schedule):
        optimizer._learning_rate = change(optimizer._learning_rate)


class Adam(keras.optimizers.Adam):
    """Keras's Adam, which calls a subclass at each update before the weights have their turns."""

    def _internal_apply_gradients(self, grads_and_vars):
        self.begin()
        return super()._internal_apply_gradients(grads_and_vars)

    def begin(self):
        """Begins an update, whose rate `learning_rate` now is."""
        raise TypeError(f"{type(self).__name__} must define begin()")

    def moments(self, variable: tf.Variable) -> tuple[tf.Variable, tf.Variable]:
        """The averages of the gradient, and of its square, for one of the variables that this was built for."""
        index = self._index_dict[self._var_key(variable)]
        return self._momentums[index], self._velocities[index]


class Model(keras.Model):
    """Keras's model, whose `fit` begins at step `_initial_step` of its first epoch."""

    _initial_step = 0

    def _maybe_load_initial_counters_from_ckpt(self, steps_per_epoch: int, initial_epoch: int) -> tuple[int, int]:
        """The epoch and the step in it at which a training begins, for which Keras asks here."""
        return initial_epoch, self._initial_step


class TensorLogs(keras.callbacks.Callback):
    """A callback that gets tensors. If all callbacks of each step do, none costs a round trip to the host."""

    def __init__(self):
        super().__init__()
        self._supports_tf_logs = True
