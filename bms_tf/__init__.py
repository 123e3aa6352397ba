"""Best-of-many-samples GANs, VAEs and hybrids in TensorFlow/Keras.

    import bms_tf

    model = bms_tf.train("gin/ring.gin", run_dir="runs/ring")  # or bms_tf.load("runs/ring")
    points = model.sample(1000, seed=1)

Importing this package imports nothing heavy: each name is imported when it is first used.
"""

from typing import TYPE_CHECKING

from bms_tf.core import lazy

if TYPE_CHECKING:
    from bms_tf import metrics, modifiers, networks, objectives, pictures, pipelines, systems
    from bms_tf.core.keras import keras
    from bms_tf.core.system import Phase, System
    from bms_tf.evaluation.run import evaluate
    from bms_tf.library import export, train
    from bms_tf.loading.load import load
    from bms_tf.loading.model import Model

__version__ = "0.2.0"
__all__ = [
    "Model",
    "Phase",
    "System",
    "evaluate",
    "export",
    "keras",
    "load",
    "metrics",
    "modifiers",
    "networks",
    "objectives",
    "pictures",
    "pipelines",
    "systems",
    "train",
]

lazy.attach(__name__)
