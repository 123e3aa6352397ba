"""The one place that picks Keras: `tf.keras` where that is Keras 2 (TensorFlow 2.15), `tf_keras` on newer TensorFlow.

Everything else writes `from bms_tf.core.keras import keras`. No environment variable is set, so a program that
imports us keeps its own Keras.
"""

from typing import Any

import tensorflow as tf

if tf.__version__.startswith("2.15."):
    keras = tf.keras
else:
    import tf_keras as keras

__all__ = ["keras", "require_same_keras"]


def require_same_keras(obj: Any, what: str) -> None:
    """Checks that `obj`, named `what` in the message, is a layer, model, metric or optimizer of our Keras.

    Raises:
        ValueError: it is not; beside a new TensorFlow, plain `import keras` gives Keras 3, whose objects do not fit.
    """
    if not isinstance(obj, (keras.layers.Layer, keras.optimizers.Optimizer)):
        received = f"{type(obj).__module__}.{type(obj).__name__}"
        raise ValueError(f"{what} must come from `from bms_tf.core.keras import keras` (Keras 2), received {received}.")
