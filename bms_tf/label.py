"""Puts a version of a model into production: python -m bms_tf.label --name=ring --version=2 --label=stable

TensorFlow Serving, as savedmodels/compose.yaml starts it, loads what models.config lists, and reads it again by itself.
"""

from absl import flags

from bms_tf.core import command, errors

EXAMPLE = "python -m bms_tf.label --name=ring --version=2 --label=stable"

MODEL_DIR = flags.DEFINE_string("model_dir", "savedmodels", "The folder of the models, NAME/VERSION/.")
NAME = flags.DEFINE_string("name", None, "The model's name.")
VERSION = flags.DEFINE_integer("version", None, "The version that the label is to mean.", lower_bound=1)
LABEL = flags.DEFINE_string("label", None, "What clients ask for: stable, canary or another word.")


def main(_):
    """Parses the flags and writes the list."""
    if not (NAME.value and VERSION.value and LABEL.value):
        raise ValueError(f"--name, --version and --label are needed; for example: {EXAMPLE}")
    try:
        from bms_tf.serving import listing
    except ImportError as error:
        raise ValueError(errors.missing(error.name, "serving")) from error
    print(listing.put(MODEL_DIR.value, NAME.value, VERSION.value, LABEL.value))


if __name__ == "__main__":
    command.run(main, EXAMPLE)
