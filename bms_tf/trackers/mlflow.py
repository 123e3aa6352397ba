"""MLflow: `--gin_file=gin/trackers/mlflow.gin`. Its own variables say where to, such as MLFLOW_TRACKING_URI."""

import time
from collections.abc import Mapping

import gin

from bms_tf.core import errors
from bms_tf.trackers.tracker import FAILED, FINISHED, STOPPED, Tracker

STATUS = {FINISHED: "FINISHED", STOPPED: "KILLED", FAILED: "FAILED"}
AT_ONCE = 100  # parameters that MLflow takes in one call


@gin.configurable
def mlflow(run_dir: str, settings: Mapping[str, str], *, experiment: str = "bms_tf") -> Tracker:
    """A run of MLflow, named as the run folder, in `experiment`, which is made if there is none of that name.

    Raises ValueError where the package is missing.
    """
    try:
        import mlflow
        from mlflow.entities import Metric, Param
    except ImportError as error:
        raise ValueError(errors.missing("mlflow", "mlflow")) from error

    class MLflow(Tracker):
        name, errors = "mlflow", mlflow.MlflowException

        def begin(self, record: str | None) -> str:
            # A client with the run's id: MLflow's "active run" is one for the whole process.
            self.client = mlflow.MlflowClient()
            if record is None:
                found = self.client.get_experiment_by_name(experiment)
                place = found.experiment_id if found else self.client.create_experiment(experiment)
                record = self.client.create_run(place, run_name=self.run_dir).info.run_id
            else:
                self.client.update_run(record, status="RUNNING")
            given = self.client.get_run(record).data.params
            params = [Param(name, value) for name, value in self.settings.items() if name not in given]
            for start in range(0, len(params), AT_ONCE):
                self.client.log_batch(record, params=params[start : start + AT_ONCE])
            for name, value in self.settings.items():  # a parameter is final for MLflow
                if given.get(name, value) != value:
                    self.client.set_tag(record, name, value)
            return record

        def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, str]) -> None:
            now = round(1000 * time.time())
            metrics = [Metric(name, value, now, step) for name, value in values.items()]
            for path in pictures.values():
                self.client.log_artifact(self.record, path, "pictures")
            self.client.log_batch(self.record, metrics=metrics)  # last: sent again, it would be there twice

        def end(self, outcome: str) -> None:
            try:
                if outcome == FINISHED:
                    self.client.log_artifacts(self.record, self.run_dir)
            finally:
                self.client.set_terminated(self.record, STATUS[outcome])

        def refuses(self, error: Exception) -> bool:
            return getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE"

    return MLflow(run_dir, settings)
