"""Exports a trained model as a SavedModel: python -m bms_tf.export --run_dir=runs/ring --name=ring"""

import os

from absl import flags

from bms_tf.core import command

EXAMPLE = "python -m bms_tf.export --run_dir=runs/ring --name=ring"

RUN_DIR = flags.DEFINE_string("run_dir", None, "The folder of the run, as bms_tf.train wrote it.")
NAME = flags.DEFINE_string("name", None, "The model's name: letters, digits, _ and -.")
EXPORT_DIR = flags.DEFINE_string(
    "export_dir", "savedmodels", "The folder of all models; this one goes to NAME/VERSION."
)
ALLOW_IMPORT = flags.DEFINE_multi_string("allow_import", [], "A module of your own that gin files may import.")


def main(_):
    """Parses the flags and exports."""
    if not (RUN_DIR.value and NAME.value):
        raise ValueError(f"--run_dir and --name are needed; for example: {EXAMPLE}")
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.core import exporting

    path, signatures = exporting.export(RUN_DIR.value, NAME.value, EXPORT_DIR.value, ALLOW_IMPORT.value).split("\n", 1)
    print(f"{path}\n{signatures}")
    which = f"--model_dir={EXPORT_DIR.value} --name={NAME.value} --version={os.path.basename(path)}"
    print(f"TensorFlow Serving loads it once it has a label: python -m bms_tf.label {which} --label=stable")


if __name__ == "__main__":
    command.run(main, EXAMPLE)
