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

    The run folder is written as by the command, and one that is there is resumed. A program's own gin configuration
    is left as it is; Keras's session and TensorFlow's random seeds are set anew.

    Args:
        recipe: a gin file or several, of which later ones override earlier ones; looked for in the working directory,
            then among the shipped recipes.
        run_dir: the run's folder.
        params: more settings, such as "BMSVAEGAN.T = 30".
        seed: sets `train.seed`.
        warm_start: a run folder or SavedModel whose weights a new run begins with.
        other_data: resume although the data are no longer those of the run's start.
        allow_import: modules of your own that gin files may import.

    Returns:
        The model; its `scores` are those of the samples and of as many real examples.

    Raises:
        ValueError: for a setting that cannot be used, a folder that holds another run, or a loss that is not finite.
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
        source: a run folder, or a system in its present state. Only a run folder has the settings, scores and warm-up
            requests that are put beside the model.
        name: letters, digits, _ and -.
        export_dir: the folder of all models.
        allow_import: modules of your own that the run's gin file may import.

    Returns:
        The path of the new version, `<export_dir>/<name>/<version>`.

    Raises:
        ValueError: for a bad name, or a folder that is not that of a run with a checkpoint.
        OSError: if `export_dir` cannot be written.
    """
    if isinstance(source, System):
        exporting.check_name(name)
        traced = signatures(source)
        return exporting.publish(lambda folder: exporting.save(source, traced, folder), name, os.fspath(export_dir))
    with config.apart():
        said = exporting.export(os.fspath(source), name, os.fspath(export_dir), allow_import)
    return said.splitlines()[0]
