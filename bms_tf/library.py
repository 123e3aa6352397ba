"""What the commands `bms_tf.train` and `bms_tf.export` do, for a program of one's own."""

# pyright: basic
import os
from collections.abc import Sequence

from bms_tf.core import config, errors, exporting, training
from bms_tf.core.signatures import signatures
from bms_tf.core.system import System
from bms_tf.loading.load import of_run
from bms_tf.loading.model import Model


def train(
    recipe: str | Sequence[str],
    *,
    run_dir: str | os.PathLike[str],
    params: Sequence[str] = (),
    seed: int | None = None,
    warm_start: str | None = None,
    other_data: bool = False,
    allow_import: Sequence[str] = (),
) -> Model:
    """Trains a recipe as `python -m bms_tf.train` does, and returns the trained model.

    It writes the same run folder as the command, and resumes a run that is in it. It leaves a program's own gin
    configuration as it is, and resets Keras's session and TensorFlow's random seeds.

    Args:
        recipe: a gin file or several; later ones override earlier ones. They are looked for in the working directory,
            and then among the shipped recipes.
        run_dir: the run's folder.
        params: more settings, such as "BMSVAEGAN.T = 30".
        seed: sets `train.seed`.
        warm_start: a run folder or SavedModel whose weights a new run begins with.
        other_data: resumes although the data are no longer those of the run's start.
        allow_import: modules of your own that gin files may import.

    Returns:
        The model. Its `scores` are those of the samples, and those of as many real examples.

    Raises:
        ValueError: if a setting cannot be used, the folder holds another run, or a loss is not finite.
    """
    files = [recipe] if isinstance(recipe, str) else list(recipe)
    if not files:
        raise ValueError("recipe is empty; it must be a gin file or several, such as 'gin/ring.gin'")
    seeds = [] if seed is None else [f"train.seed = {seed}"]
    with config.apart():
        config.load(files, [*params, *seeds], allow_import)
        run = training.new_run()
        with errors.in_one_line():
            run.train(os.fspath(run_dir), warm_start, other_data=other_data)
            return of_run(run.system, os.fspath(run_dir))


def export(
    source: str | os.PathLike[str] | System,
    name: str,
    *,
    export_dir: str | os.PathLike[str] = "savedmodels",
    allow_import: Sequence[str] = (),
) -> str:
    """Writes a SavedModel that TensorFlow Serving loads as it is.

    Args:
        source: a run folder, or a system in its present state. Only an export of a run folder puts settings, scores and
            warm-up requests beside the model.
        name: letters, digits, _ and -.
        export_dir: the folder of all models.
        allow_import: modules of your own that the run's gin file may import.

    Returns:
        The path of the new version, `<export_dir>/<name>/<version>`.

    Raises:
        ValueError: if the name is not allowed, or the folder holds no run with a checkpoint.
        OSError: if `export_dir` cannot be written.
    """
    if isinstance(source, System):
        exporting.check_name(name)
        traced = signatures(source)
        return exporting.publish(lambda folder: exporting.save(source, traced, folder), name, os.fspath(export_dir))
    with config.apart():
        said = exporting.export(os.fspath(source), name, os.fspath(export_dir), allow_import)
    return said.splitlines()[0]
