"""Searches hyperparameters: python -m bms_tf.tune --gin_file=gin/ring.gin --gin_file=gin/sweeps/lambda_t.gin"""

import os

from absl import flags

from bms_tf.core import command, recipe_flags
from bms_tf.core.recipe_flags import ALLOW_IMPORT, GIN_FILE, GIN_PARAM

EXAMPLE = "python -m bms_tf.tune --gin_file=gin/ring.gin --gin_file=gin/sweeps/lambda_t.gin --workers=2"

flags.adopt_module_key_flags(recipe_flags)
SEARCH_DIR = flags.DEFINE_string(
    "search_dir", None, "The search's folder; a search in it is continued. Default: runs/RECIPE_SWEEP."
)
WORKERS = flags.DEFINE_integer("workers", 0, "Processes on this machine; 0: this one alone.", lower_bound=0)
CHIEF_TIMEOUT = flags.DEFINE_float("chief_timeout", 120, "Seconds that a worker waits for its chief.", lower_bound=1)


def main(_):
    """Parses the flags and searches, as KerasTuner's chief or worker where its variables say so."""
    if not GIN_FILE.value:
        raise ValueError(f"--gin_file is missing; for example: {EXAMPLE}")
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.tuning import workers
    from bms_tf.tuning.search import Setting

    role = workers.role()
    if role and WORKERS.value:
        raise ValueError(f"--workers starts a chief of its own; unset {', '.join(workers.VARIABLES)}")
    folder = SEARCH_DIR.value or recipe_flags.default_folder()
    setting = Setting(folder, GIN_FILE.value, GIN_PARAM.value, ALLOW_IMPORT.value)
    if role == "worker":
        workers.work(setting, CHIEF_TIMEOUT.value)
        return
    try:
        lead(setting, is_chief=role == "chief")
    except KeyboardInterrupt:
        print("stopped; the same command continues the search", flush=True)
        raise


def lead(setting, is_chief):
    """The whole of a search but for what workers do."""
    from bms_tf.core import files, processes
    from bms_tf.tuning import fresh, report, workers
    from bms_tf.tuning.progress import Progress
    from bms_tf.tuning.search import PRELOAD, Tuner

    is_alone = not (is_chief or WORKERS.value)
    if not is_alone:
        workers.become_chief(on_loopback=not is_chief)
    with processes.Group(PRELOAD) as group, Progress() as progress:
        setting.enter(group)
        with files.locked(os.path.join(setting.folder, "lock"), f"searching in {setting.folder}"):
            tuner = Tuner(setting, group)
            report.attach(setting, progress)
            if is_alone:
                tuner.search()
            else:
                workers.serve(setting, WORKERS.value, worker_flags(setting))
            report.finish(setting, fresh.run(setting, 0 if is_alone else max(1, WORKERS.value), group, progress))


def worker_flags(setting):
    """The flags with which a worker sees the same search."""
    lists = {"gin_file": setting.files, "gin_param": setting.params, "allow_import": setting.allow_import}
    flags_ = [f"--{name}={value}" for name, values in lists.items() for value in values]
    return [*flags_, f"--search_dir={setting.folder}", f"--chief_timeout={CHIEF_TIMEOUT.value}"]


if __name__ == "__main__":
    command.run(main, EXAMPLE)
