"""Who hears about a training run: MLflow, the file of events, and what shows them to a person."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.version import TrainedOn
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.models.exports.export import GRAPH
from minivess.records.models.training_event import TrainingEvent
from minivess.records.sinks import Progress, RunListener
from minivess.workflows.session.services import WorkspaceReader

_log = logging.getLogger(__name__)

Hear = Callable[[TrainingEvent], None]


@implements("REQ-359", "REQ-362")
def listeners_of(folder: Path, *, hear: Hear | None = None, tracker: RunListener | None = None) -> RunListener:
    """The listeners of the run of one member.

    Args:
        folder: of the member, for its file of events.
        hear: shows the events to a person.
        tracker: gives the run its id; None: a trial run, which is not tracked.
    """
    from minivess.observability.tracking.listeners import Listeners
    from minivess.observability.tracking.phase_spans import PhaseSpans, configured_exporter
    from minivess.observability.tracking.training_events import EventFile, EventListener

    sinks: list[Hear] = [EventFile(folder), *([] if hear is None else [hear])]
    exporter = configured_exporter()
    spans = [] if exporter is None else [PhaseSpans(exporter)]
    return Listeners([*([] if tracker is None else [tracker]), EventListener(sinks), *spans])


@implements("REQ-362")
def tracker_of(services: WorkspaceReader, data: TrainedOn) -> RunListener:
    """The MLflow listener of a project.

    Args:
        services: the workspace.
        data: what its runs are trained on.
    """
    from minivess.observability.tracking.machine_use import MachineUse
    from minivess.observability.tracking.mlflow_listener import MlflowListener

    workspace = Workspace(services.workspace)
    return MlflowListener(
        services.settings.mlflow_uri,
        experiment=services.project.device.name,
        artifacts=workspace.evidence / "mlflow",
        tags=_circumstances(services),
        data=data,
        files=[workspace.project_file],
        machine=MachineUse(),
    )


@implements("REQ-362")
def track_export(services: WorkspaceReader, folder: Path, *, model: str, data: TrainedOn) -> str | None:
    """Keep the graphs of an exported model in MLflow; returns the id of the run, or None, with a warning, where that fails.

    Args:
        services: the workspace.
        folder: of the export.
        model: its digest.
        data: what its members were trained on.
    """
    from minivess.observability.tracking.mlflow_store import MlflowStore
    from minivess.observability.tracking.onnx_model import log_onnx

    graphs = {"model": folder / GRAPH} | {path.stem: path for path in sorted((folder / "graphs").glob("*.onnx"))}
    tags = {**_circumstances(services), "model": model, "data": data.split, "dvc": data.dvc}
    store = MlflowStore(services.settings.mlflow_uri, artifacts=Workspace(services.workspace).evidence / "mlflow")
    try:
        return log_onnx(store, services.project.device.name, graphs, tags=tags)
    except CouldNotCheckError as error:
        _log.warning("the exported model is not in MLflow: %s", error.message)
        return None


@implements("REQ-424")
def track_evaluation(
    services: WorkspaceReader, record: EvaluationRecord, folder: Path, *, data: Mapping[str, str]
) -> str | None:
    """Keep an evaluation in MLflow; returns the id of the run, or None, with a warning, where that fails.

    Args:
        services: the workspace.
        record: the evaluation, whose means become metrics.
        folder: its files, which become artifacts.
        data: digests of the data, as tags.
    """
    from minivess.observability.tracking.evaluations import log_evaluation
    from minivess.observability.tracking.mlflow_store import MlflowStore

    figures = {
        name if of_class is None else f"{name} of {of_class}": interval.mean
        for of_class, one in record.by_class.items()
        for name, interval in one.aggregates.items()
    }
    part = record.part or "test"
    tags = {**_circumstances(services), "model": record.model, "part": part, "data": data["data"], "dvc": data["dvc"]}
    store = MlflowStore(services.settings.mlflow_uri, artifacts=Workspace(services.workspace).evidence / "mlflow")
    try:
        experiment = services.project.device.name
        return log_evaluation(store, experiment, f"evaluation of the {part} part", figures, folder, tags=tags)
    except CouldNotCheckError as error:
        _log.warning("the evaluation is not in MLflow: %s", error.message)
        return None


def _circumstances(services: WorkspaceReader) -> dict[str, str]:
    """Git commit, environment and configuration, as tags; `mlflow.source.git.commit` is the name that MLflow shows."""
    context = services.context()
    found = {
        "mlflow.source.git.commit": context.git_commit,
        "git_dirty": None if context.git_dirty is None else str(context.git_dirty).lower(),
        "environment": context.environment,
        "configuration": context.configuration,
    }
    return {name: value for name, value in found.items() if value is not None}


def steps_of(progress: Progress) -> Hear:
    """Events as progress: the steps of each member."""

    def hear(event: TrainingEvent) -> None:
        if event.beat is not None:
            progress(f"training member {event.beat.member}", event.beat.step, event.beat.steps)

    return hear
