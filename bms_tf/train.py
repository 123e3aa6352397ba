"""Trains a model: python -m bms_tf.train --gin_file=gin/ring.gin"""

import os

from absl import flags

from bms_tf.core import command, recipe_flags
from bms_tf.core.recipe_flags import ALLOW_IMPORT, GIN_FILE, GIN_PARAM

EXAMPLE = "python -m bms_tf.train --gin_file=gin/ring.gin --run_dir=runs/ring"

flags.adopt_module_key_flags(recipe_flags)
RUN_DIR = flags.DEFINE_string("run_dir", None, "The run's folder; a run in it is resumed. Default: runs/GIN_FILES.")
SEED = flags.DEFINE_integer("seed", None, "Sets train.seed.", lower_bound=0)
SEEDS = flags.DEFINE_list("seeds", [], "Several seeds, one run each in RUN_DIR/seed_N; prints mean and deviation.")
WARM_START = flags.DEFINE_string("warm_start", None, "A run folder or SavedModel whose weights a new run begins with.")
OTHER_DATA = flags.DEFINE_bool("other_data", False, "Resume although the data are no longer those of the run's start.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Build, print the networks, take one step, write nothing.")
LIST = flags.DEFINE_bool("list", False, "Print every recipe, data set, modifier and system that is shipped.")


def main(_):
    """Parses the flags and trains."""
    if LIST.value:
        print_shipped()
        return
    if not GIN_FILE.value:
        raise ValueError(f"--gin_file is missing; for example: {EXAMPLE}")
    if SEEDS.value and SEED.value is not None:
        raise ValueError("give --seed or --seeds, not both")
    run_dir = RUN_DIR.value or recipe_flags.default_folder()
    if not SEEDS.value:
        run(run_dir, [] if SEED.value is None else [f"train.seed = {SEED.value}"])
        return
    if not all(seed.isdigit() for seed in SEEDS.value):
        raise ValueError(f"--seeds is {','.join(SEEDS.value)!r}; it must be whole numbers, as in --seeds=0,1,2")
    if len(set(SEEDS.value)) < len(SEEDS.value):
        raise ValueError(f"--seeds is {','.join(SEEDS.value)!r}; each may be named once")
    scores = [run(os.path.join(run_dir, f"seed_{seed}"), [f"train.seed = {seed}"]) for seed in SEEDS.value]
    if not DRY_RUN.value:
        print_table({f"{len(scores)} seeds": scores})


def run(run_dir, params):
    """One run; returns its scores."""
    from bms_tf.core import config, errors, startup

    startup.import_tensorflow()
    from bms_tf.core.training import new_run

    config.load(GIN_FILE.value, [*GIN_PARAM.value, *params], ALLOW_IMPORT.value)
    job = new_run()
    with errors.in_one_line():
        if DRY_RUN.value:
            print(job.describe(WARM_START.value))
            return None
        scores = job.train(run_dir, WARM_START.value, other_data=OTHER_DATA.value)
    print_table({"samples": [scores["samples"]], "data": [scores["data"]]})
    if job.recipe.pictures:
        print(f"pictures: {os.path.join(run_dir, 'pictures')}")
    return scores["samples"]


def print_shipped():
    """A line per gin file, by folder."""
    from bms_tf.core import gin_text

    print("\n\n".join(map(command.listing, gin_text.shipped().values())))


def print_table(columns):
    """A line per score: for each column's runs the mean and, for more than one, the standard deviation."""
    names = next(iter(columns.values()))[0]
    if not names:
        return
    import numpy as np  # late, for a fast --help; the module statistics cannot do with scores that are not numbers

    width = max(map(len, names))
    print(" " * width + "".join(f"{title:>22}" for title in columns))
    for name in names:
        # Data have none in a metric of the model.
        found = [[scores[name] for scores in runs if name in scores] for runs in columns.values()]
        if np.isnan(sum(found, [])).all():
            continue
        cells = []
        for values in found:
            deviation = f" ± {np.std(values, ddof=1):.3g}" if len(values) > 1 else ""
            cells.append((f"{np.mean(values):.4g}{deviation}" if values else "-").rjust(22))
        print(name.ljust(width) + "".join(cells))


if __name__ == "__main__":
    command.run(main, EXAMPLE)
