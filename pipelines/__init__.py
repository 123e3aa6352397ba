"""Input pipelines, one file per dataset.

Each is `(split, start_step, examples_per_step, seed, input_context) -> tf.data.Dataset`.
"""
