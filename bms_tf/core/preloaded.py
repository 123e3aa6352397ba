"""What the processes of `processes.py` are copies of: the imports are done, and TensorFlow was not used, for that would
have given it threads."""

from bms_tf.core import startup

with startup.quiet():
    from bms_tf.core import training  # noqa: F401
