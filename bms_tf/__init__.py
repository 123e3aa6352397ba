"""Best-of-many-samples GANs, VAEs and hybrids in TensorFlow/Keras, every hyperparameter in gin.

Importing this package imports nothing heavy: the commands must answer `--help` at once.
"""

__version__ = "0.1.0"


def __getattr__(name: str):
    if name == "evaluate":  # the function, imported when it is asked for; the command is the module of that name
        from bms_tf.evaluation.run import evaluate

        return evaluate
    raise AttributeError(f"module 'bms_tf' has no attribute {name!r}")
