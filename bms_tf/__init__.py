"""Best-of-many-samples GANs, VAEs and hybrids in TensorFlow/Keras, every hyperparameter in gin.

Importing this package imports nothing heavy: the commands must answer `--help` at once.
"""

__version__ = "0.1.0"
