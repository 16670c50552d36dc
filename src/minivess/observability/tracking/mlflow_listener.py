"""A training run as MLflow sees it, on any tracking URI; SQLite in the workspace by default.

MLflow is imported on first use, with its telemetry switched off for good in this process and the environment put back
as it was; nothing but the tracking URI is spoken to.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.records.data.version import TrainedOn

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from mlflow.tracking import MlflowClient

_FLUSH_AT = 100
_SQLITE = "sqlite:///"
_OPT_OUT = "MLFLOW_DISABLE_TELEMETRY"


@implements("REQ-017", "REQ-096")
class MlflowListener:
    """A `records.sinks.RunListener` that writes to MLflow; it can hear several runs, one after another.

    Args:
        uri: MLflow tracking URI, for example `sqlite:////workspace/evidence/mlflow.db`.
        experiment: name of the experiment, by custom the device's; made when it is missing.
        artifacts: folder for the artifacts of a new experiment; by default `mlflow/` beside the SQLite database,
            and for any other tracking URI what its server decides.
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
        self._uri = uri
        self._experiment = experiment
        database = Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None
        self._database = database
        self._artifacts = database.parent / "mlflow" if artifacts is None and database is not None else artifacts
        self._data = data
        self._tags = dict(tags or {}) | ({} if data is None else {"data": data.split, "dvc": data.dvc})
        self._client: MlflowClient | None = None
        self._run: str | None = None
        self._metrics: list[Any] = []

    def started(self, name: str, parameters: dict[str, str | int | float]) -> str:
        """Begin a run and log its parameters; returns its MLflow run id.

        Raises:
            CouldNotCheckError: the tracking store cannot be opened or written.
        """
        with _reached("begin a run"):
            client = self._connect()
            from mlflow.entities import Param

            run = client.create_run(self._experiment_id(client), run_name=name, tags=self._tags)
            identifier = str(run.info.run_id)
            if self._data is not None:
                client.log_inputs(identifier, datasets=[_dataset(self._data)])
            client.log_batch(identifier, params=[Param(key, str(value)) for key, value in parameters.items()])
        self._run, self._metrics = identifier, []
        return identifier

    def step(self, step: int, loss: float, learning_rate: float) -> None:
        """Log one optimiser step; steps are written in batches.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
            UsageError: no run was started.
        """
        self._note(step, {"loss": loss, "learning_rate": learning_rate})
        if len(self._metrics) >= _FLUSH_AT:
            with _reached("log a step"):
                self._flush()

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
        with _reached("end a run"):
            self._flush()
            self._connect().set_terminated(self._current(), status=status)
        self._run = None

    def _note(self, step: int, metrics: dict[str, float]) -> None:
        self._current()
        now = int(time.time() * 1000)
        self._metrics.extend((key, float(value), now, step) for key, value in metrics.items())

    def _flush(self) -> None:
        from mlflow.entities import Metric

        if self._metrics:
            metrics = [Metric(key, value, moment, step) for key, value, moment, step in self._metrics]
            self._connect().log_batch(self._current(), metrics=metrics)
            self._metrics = []

    def _current(self) -> str:
        if self._run is None:
            raise UsageError("no MLflow run was started")
        return self._run

    def _connect(self) -> MlflowClient:
        if self._client is None:
            if self._database is not None:
                self._database.parent.mkdir(parents=True, exist_ok=True)
            self._client = _quiet_client(self._uri)
        return self._client

    def _experiment_id(self, client: MlflowClient) -> str:
        known = client.get_experiment_by_name(self._experiment)
        if known is not None:
            return str(known.experiment_id)
        location = None if self._artifacts is None else self._artifacts.absolute().as_uri()
        return str(client.create_experiment(self._experiment, artifact_location=location))


def _dataset(data: TrainedOn) -> DatasetInput:
    """The data set of a run as MLflow keeps it; a digest there has at most 36 characters, so `md5:` stands in the source."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"dvc": data.dvc, "split": data.split}, sort_keys=True)
    digest = data.dvc.removeprefix("md5:")
    made = Dataset(name=data.name, digest=digest, source_type="dvc", source=source)
    return DatasetInput(made, tags=[InputTag("mlflow.data.context", "training")])


def _quiet_client(uri: str) -> MlflowClient:
    """An MLflow client, with telemetry and the notes of its database set-up switched off."""
    before = os.environ.get(_OPT_OUT)
    os.environ[_OPT_OUT] = "true"
    try:
        from mlflow.telemetry import set_telemetry_client
        from mlflow.tracking import MlflowClient

        set_telemetry_client()
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=uri)
    finally:
        if before is None:
            del os.environ[_OPT_OUT]
        else:
            os.environ[_OPT_OUT] = before


@contextmanager
def _reached(what: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise CouldNotCheckError(
            "MLflow is not installed", hint="install the `ml` extra: pip install 'minivess[ml]'"
        ) from error
    except (CouldNotCheckError, UsageError):
        raise
    except Exception as error:
        raise CouldNotCheckError(
            f"MLflow could not {what}: {type(error).__name__}", hint="check the tracking URI (mlflow_uri) and the disk"
        ) from error
