"""A training run as MLflow sees it, on any tracking URI; SQLite in the workspace by default.

MLflow is imported on first use, with its telemetry switched off for good in this process and the environment put back
as it was; nothing but the tracking URI is spoken to. `mlflow_store` opens the store.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.observability.tracking.mlflow_store import MlflowStore
from minivess.records.data.version import TrainedOn
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from mlflow.tracking import MlflowClient

_POINTS = 500
"""Points of a curve at most: of a longer run each is the mean loss of so many steps that there are no more."""
_FLUSH_S = 15.0
"""Seconds from one writing to the next: a writing takes about 20 ms, and each point 0.13 ms (SQLite, 2 shared cores)."""
_MISSING = "RESOURCE_DOES_NOT_EXIST"
_AT_ONCE = 1000
"""How many metrics MLflow takes in one request."""
_NOT_IN_NAMES = re.compile(r"[^\w./ :-]")
"""What the name of a metric must not have."""


@implements("REQ-017", "REQ-096", "REQ-362")
class MlflowListener:
    """A `records.sinks.RunListener` that writes to MLflow; it can hear several runs, one after another.

    Args:
        uri: MLflow tracking URI, for example `sqlite:////workspace/evidence/mlflow.db`.
        experiment: name of the experiment, by custom the device's; made when it is missing.
        artifacts: folder for the artifacts of a new experiment; by default `mlflow/` beside the SQLite database. A
            tracking server decides for itself.
        tags: tags of every run, for example the index of its audit entry.
        data: what every run is trained on: tags `data` and `dvc`, and MLflow's own record of a data set.
        files: kept with every run from its start, for example the project file.
        machine: measures the use of the machine, by the name of the metric, whenever metrics are written.
        seconds: tells how much time has passed.
    """

    def __init__(
        self,
        uri: str,
        *,
        experiment: str,
        artifacts: Path | None = None,
        tags: dict[str, str] | None = None,
        data: TrainedOn | None = None,
        files: Sequence[Path] = (),
        machine: Callable[[], dict[str, float]] = dict,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = MlflowStore(uri, artifacts=artifacts)
        self._experiment = experiment
        self._data = data
        self._tags = dict(tags or {}) | ({} if data is None else {"data": data.split, "dvc": data.dvc})
        self._files = tuple(files)
        self._machine = machine
        self._seconds = seconds
        self._run: str | None = None
        self._metrics: list[Any] = []
        self._losses: list[float] = []
        self._written = 0.0

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        """Begin a run and log its parameters, or go on with one; returns its MLflow run id.

        A run to go on with that the store does not have any more is begun anew.

        Raises:
            CouldNotCheckError: the tracking store cannot be opened or written, or the experiment was deleted.
        """
        with self._store.asked("begin a run") as client:
            from mlflow.entities import Param

            if resumes is not None and _known(client, resumes):
                client.update_run(resumes, status="RUNNING")
                self._begin(resumes)
                return resumes
            experiment = self._store.experiment(client, self._experiment)
            run = client.create_run(experiment, run_name=name, tags=self._tags)
            identifier = str(run.info.run_id)
            if self._data is not None:
                client.log_inputs(identifier, datasets=[_dataset(self._data)])
            client.log_batch(identifier, params=[Param(key, str(value)) for key, value in parameters.items()])
            for file in self._files:
                client.log_artifact(identifier, str(file))
        self._begin(identifier)
        return identifier

    def _begin(self, identifier: str) -> None:
        self._run, self._metrics, self._losses, self._written = identifier, [], [], self._seconds()

    def phase(self, phase: Phase) -> None:
        """Write what was noted before a run saves: a run that goes on from there has its whole curve.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
        """
        if phase == "save" and self._run is not None and self._metrics:
            with self._store.asked("log a step") as client:
                self._flush(client)

    def beat(self, beat: Beat) -> None:
        """Note one optimiser step; what was noted is written every 15 seconds, so that tracking costs little.

        Raises:
            CouldNotCheckError: the tracking store cannot be written.
            UsageError: no run was started.
        """
        self._losses.append(beat.loss)
        if len(self._losses) * _POINTS >= beat.steps or beat.step >= beat.steps:
            loss = math.fsum(self._losses) / len(self._losses)
            self._note(beat.step, {"loss": loss, "learning_rate": beat.learning_rate})
            self._losses = []
        if beat.validation is not None:
            dice = {f"validation_dice/{name}": value for name, value in beat.validation.dice.items()}
            figures = {**dice, "validation_dice_mean": beat.validation.mean}
            self._note(beat.step, {name: value for name, value in figures.items() if value is not None})
        now = self._seconds()
        if now - self._written >= _FLUSH_S:
            self._written = now
            memory = {"system/training_memory_megabytes": beat.memory / 1e6, "waiting_for_patches": beat.waited}
            self._note(beat.step, {**self._machine(), **memory})
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
        named = {_NOT_IN_NAMES.sub("_", key): float(value) for key, value in metrics.items()}
        self._metrics.extend((key, value, now, step) for key, value in named.items())

    def _flush(self, client: MlflowClient) -> None:
        from mlflow.entities import Metric

        while self._metrics:
            metrics = [Metric(key, value, moment, step) for key, value, moment, step in self._metrics[:_AT_ONCE]]
            client.log_batch(self._current(), metrics=metrics)
            del self._metrics[:_AT_ONCE]

    def _current(self) -> str:
        if self._run is None:
            raise UsageError("no MLflow run was started")
        return self._run


def _known(client: MlflowClient, run: str) -> bool:
    """Whether the store has a run, and it was not deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_run(run).info.lifecycle_stage) == "active"
    except MlflowException as error:
        if error.error_code != _MISSING:
            raise
        return False


def _dataset(data: TrainedOn) -> DatasetInput:
    """The data set of a run as MLflow keeps it; a digest there has at most 36 characters, so `md5:` stands in the source."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"dvc": data.dvc, "split": data.split}, sort_keys=True)
    digest = data.dvc.removeprefix("md5:")
    made = Dataset(name=data.name, digest=digest, source_type="dvc", source=source)
    return DatasetInput(made, tags=[InputTag("mlflow.data.context", "training")])
