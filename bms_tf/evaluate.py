"""Scores a model or samples: python -m bms_tf.evaluate --model=savedmodels/ring --data=gin/data/ring.gin"""

import os
import shlex
import sys

from absl import flags

from bms_tf.core import command, recipe_flags
from bms_tf.core.recipe_flags import ALLOW_IMPORT, GIN_FILE, GIN_PARAM

EXAMPLE = "python -m bms_tf.evaluate --model=savedmodels/ring --data=gin/data/ring.gin --metrics=precision_recall"

flags.adopt_module_key_flags(recipe_flags)
MODEL = flags.DEFINE_list("model", [], "SavedModels, their folders NAME with versions, or runs; or give --samples.")
SAMPLES = flags.DEFINE_string("samples", None, "A folder of pictures or an .npz, from any framework; or give --model.")
DATA = flags.DEFINE_string("data", None, "A gin file of data, a folder of pictures or an .npz. A run has its own.")
METRICS = flags.DEFINE_list("metrics", [], "Names, see --list; default: those of the gin file.")
FEATURES = flags.DEFINE_string(
    "features", None, "values, inception, keras, savedmodel or dinov2; default: the gin file's."
)
WEIGHTS = flags.DEFINE_string("weights", None, "The file or folder of --features.")
RESIZER = flags.DEFINE_string("resizer", None, "How pictures are resized for the network: tf1_bilinear or clean_fid.")
SIGNATURE = flags.DEFINE_string(
    "signature", None, "The signature of a SavedModel that makes samples, from seeds or codes."
)
SPLIT = flags.DEFINE_string("split", "test", "The split of a gin file's data that samples are compared with.")
FLOOR_DATA = flags.DEFINE_string("floor_data", None, "Other real data for the floor, where --data has no splits.")
TRAINING_DATA = flags.DEFINE_string("training_data", None, "What was trained on, where --data has no splits.")
N = flags.DEFINE_integer("n", None, "How many samples are scored.", lower_bound=2)
N_REAL = flags.DEFINE_integer("n_real", None, "How many real examples are used; default: the split.", lower_bound=2)
SEED = flags.DEFINE_integer("seed", 0, "The seed of the samples and of what is random in a metric.", lower_bound=0)
OUT = flags.DEFINE_string("out", None, "The JSON lines file to append to; default: beside the model or the samples.")
CACHE_DIR = flags.DEFINE_string("cache_dir", None, "Where features are kept; default: bms_tf in ~/.cache.")
CARD = flags.DEFINE_bool("card", False, "Put the table into the README.md beside the model's JSON lines.")
LIST = flags.DEFINE_bool("list", False, "Print every metric.")


def main(_):
    """Parses the flags and evaluates."""
    from bms_tf.evaluation import registry

    if LIST.value:
        print(command.listing({name: metric.summary for name, metric in sorted(registry.listed().items())}))
        return
    if not (MODEL.value or SAMPLES.value):
        raise ValueError(f"--model or --samples is needed; for example: {EXAMPLE}")
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.evaluation import tables
    from bms_tf.evaluation.run import beside, evaluate

    rows = []
    for model in MODEL.value or [None]:
        found = evaluate(
            data=DATA.value,
            model=model,
            samples=SAMPLES.value,
            metrics=METRICS.value,
            features=FEATURES.value,
            weights=WEIGHTS.value,
            resizer=RESIZER.value,
            signature=SIGNATURE.value,
            split=SPLIT.value,
            floor_data=FLOOR_DATA.value,
            training_data=TRAINING_DATA.value,
            n=N.value,
            n_real=N_REAL.value,
            seed=SEED.value,
            out=OUT.value,
            cache_dir=CACHE_DIR.value,
            gin_file=GIN_FILE.value,
            gin_param=GIN_PARAM.value,
            allow_import=ALLOW_IMPORT.value,
            report=print,
        )
        place = OUT.value or str(beside(model or SAMPLES.value))
        if CARD.value:
            command_line = shlex.join(["python", "-m", "bms_tf.evaluate", *sys.argv[1:]])
            tables.write_card(os.path.join(os.path.dirname(place), "README.md"), found, command_line)
        print(f"appended to {place}")
        rows += found
    print(tables.markdown(rows))


if __name__ == "__main__":
    command.run(main, EXAMPLE)
