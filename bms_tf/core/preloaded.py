"""The processes of `processes.py` are copies of one that has imported this. TensorFlow is not used here: that would
start its threads.
"""

from bms_tf.core import startup

with startup.quiet():
    from bms_tf.core import training  # noqa: F401
