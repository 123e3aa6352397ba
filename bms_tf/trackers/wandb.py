"""Weights & Biases: `--gin_file=gin/trackers/wandb.gin`. Its own variables say the rest, such as WANDB_MODE=offline."""

import uuid
from collections.abc import Mapping

import gin

from bms_tf.core import errors
from bms_tf.trackers.tracker import FINISHED, Tracker


@gin.configurable
def wandb(run_dir: str, settings: Mapping[str, str], *, project: str = "bms_tf") -> Tracker:
    """A run of Weights & Biases, named as the run folder, in `project`.

    Raises ValueError where the package is missing.
    """
    try:
        import wandb
    except ImportError as error:
        raise ValueError(errors.missing("wandb", "wandb")) from error

    class WandB(Tracker):
        name, errors = "wandb", wandb.Error

        def begin(self, record: str | None) -> str:
            record = record or uuid.uuid4().hex[:8]
            quiet = wandb.Settings(console="off")  # what is printed is no part of the record
            self.run = wandb.init(project=project, name=self.run_dir, id=record, resume="allow", settings=quiet)
            self.run.config.update(dict(self.settings), allow_val_change=True)
            return record

        def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, str]) -> None:
            images = {name: wandb.Image(path) for name, path in pictures.items()}
            self.run.log({**values, **images}, step=step)

        def end(self, outcome: str) -> None:
            if outcome == FINISHED:
                folder = wandb.Artifact(f"run-{self.record}", type="run")
                folder.add_dir(self.run_dir)
                self.run.log_artifact(folder)
            self.run.finish(exit_code=0 if outcome == FINISHED else 1)

    return WandB(run_dir, settings)
