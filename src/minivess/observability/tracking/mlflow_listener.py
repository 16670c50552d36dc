"""A training run as MLflow sees it, on any tracking URI; SQLite in the workspace by default.

MLflow is imported on first use, with its telemetry switched off for good in this process and the environment put back
as it was; nothing but the tracking URI is spoken to. `mlflow_store` opens the store.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.observability.tracking.mlflow_store import MlflowStore
from minivess.records.data.version import TrainedOn
from minivess.records.models.training_run import Beat

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from mlflow.tracking import MlflowClient

_FLUSH_AT = 100


@implements("REQ-017", "REQ-096")
class MlflowListener:
    """A `records.sinks.RunListener` that writes to MLflow; it can hear several runs, one after another.

    Args:
        uri: MLflow tracking URI, for example `sqlite:////workspace/evidence/mlflow.db`.
        experiment: name of the experiment, by custom the device's; made when it is missing.
        artifacts: folder for the artifacts of a new experiment; by default `mlflow/` beside the SQLite database. A
            tracking server decides for itself.
        tags: tags of every run, for example the index of its audit entry.
        data: what every run is trained on: tags `data` and `dvc`, and MLflow's own record of a data set.
    """

    def __init__(
        self,
        uri: str,
        *,
        experiment: str,
        artifacts: Path | None = None,
        tags: dict[str, str] | None = None,
        data: TrainedOn | None = None,
    ) -> None:
        self._store = MlflowStore(uri, artifacts=artifacts)
        self._experiment = experiment
        self._data = data
        self._tags = dict(tags or {}) | ({} if data is None else {"data": data.split, "dvc": data.dvc})
        self._run: str | None = None
        self._metrics: list[Any] = []

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        """Begin a run and log its parameters, or go on with one; returns its MLflow run id.

        Raises:
            CouldNotCheckError: the tracking store cannot be opened or written, or the experiment was deleted.
        """
        with self._store.asked("begin a run") as client:
            from mlflow.entities import Param

            if resumes is not None and client.get_run(resumes).info.lifecycle_stage == "active":
                client.update_run(resumes, status="RUNNING")
                self._run, self._metrics = resumes, []
                return resumes
            experiment = self._store.experiment(client, self._experiment)
            run = client.create_run(experiment, run_name=name, tags=self._tags)
            identifier = str(run.info.run_id)
            if self._data is not None:
                client.log_inputs(identifier, datasets=[_dataset(self._data)])
            client.log_batch(identifier, params=[Param(key, str(value)) for key, value in parameters.items()])
        self._run, self._metrics = identifier, []
        return identifier

    def beat(self, beat: Beat) -> None:
        """Log one optimiser step; steps are written in batches.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
            UsageError: no run was started.
        """
        self._note(beat.step, {"loss": beat.loss, "learning_rate": beat.learning_rate})
        if len(self._metrics) >= _FLUSH_AT:
            with self._store.asked("log a step") as client:
                self._flush(client)

    def artifact(self, path: Path) -> None:
        """Keep a file with the run.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
            UsageError: no run was started.
        """
        with self._store.asked("keep a file") as client:
            client.log_artifact(self._current(), str(path))

    def finished(self, metrics: dict[str, float]) -> None:
        """Log the final metrics and end the run as finished.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
            UsageError: no run was started.
        """
        self._note(0, metrics)
        self._end("FINISHED")

    def failed(self) -> None:
        """End the run as failed; without a run there is nothing to do.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
        """
        if self._run is not None:
            self._end("FAILED")

    def _end(self, status: str) -> None:
        with self._store.asked("end a run") as client:
            self._flush(client)
            client.set_terminated(self._current(), status=status)
        self._run = None

    def _note(self, step: int, metrics: dict[str, float]) -> None:
        self._current()
        now = int(time.time() * 1000)
        self._metrics.extend((key, float(value), now, step) for key, value in metrics.items())

    def _flush(self, client: MlflowClient) -> None:
        from mlflow.entities import Metric

        if self._metrics:
            metrics = [Metric(key, value, moment, step) for key, value, moment, step in self._metrics]
            client.log_batch(self._current(), metrics=metrics)
            self._metrics = []

    def _current(self) -> str:
        if self._run is None:
            raise UsageError("no MLflow run was started")
        return self._run


def _dataset(data: TrainedOn) -> DatasetInput:
    """The data set of a run as MLflow keeps it; a digest there has at most 36 characters, so `md5:` stands in the source."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"dvc": data.dvc, "split": data.split}, sort_keys=True)
    digest = data.dvc.removeprefix("md5:")
    made = Dataset(name=data.name, digest=digest, source_type="dvc", source=source)
    return DatasetInput(made, tags=[InputTag("mlflow.data.context", "training")])
