"""A service with a candidate beside its model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minivess.records.artifact import Artifact
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.workflows.serving.inference import InferenceService, open_model
from minivess.workflows.serving.shadowing.candidates import open_candidate
from minivess.workflows.serving.shadowing.shadow import Candidate, Shadow
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder, export_toy_model
from tests.support.servers import served

with lazily(
    "fastapi",
    "minivess.serving.inference.app",
    "minivess.serving.observing.metrics",
    "minivess.serving.observing.observers",
):
    from fastapi import testclient

    from minivess.serving.inference import app
    from minivess.serving.observing import metrics, observers


def export_candidate(
    project: ProjectFolder, folder: Path, *, bias: float = 1.0, task: SegmentationTask = ONE_CLASS_OF_VOLUMES
) -> Path:
    """Export another model on the record, keep its folder, and put the model in production back."""
    exported = project.workspace.root / "models" / "export"
    export_toy_model(project, bias=bias, task=task)
    made: Path = shutil.copytree(exported, folder)
    export_toy_model(project)
    return made


@dataclass
class Shadowed:
    """A running service and the candidate beside it."""

    service: served.Service
    shadow: Shadow
    metrics: metrics.Metrics


@contextmanager
def shadowing(project: ProjectFolder, choice: Path, *, waiting: int = 4, **other: Any) -> Iterator[Shadowed]:
    """Serve a project with a candidate; `other`: what is different of it."""
    with project.services() as services, served.opened(project, services) as serving:
        opened = open_model(services)
        candidate: Candidate = replace(open_candidate(services, str(choice), opened.served.task), **other)
        counting = metrics.Metrics(opened.served)
        production = Artifact(name=opened.served.name, digest=opened.served.digest)
        shadow = Shadow(
            serving, production, candidate, seconds=3600.0, waiting=waiting, notify=counting.compared
        ).start()
        engine = InferenceService(serving, opened, observer=counting, beside=shadow)
        application = observers.observe(app.create_app(engine, limits=served.LIMITS), counting)
        with testclient.TestClient(application, raise_server_exceptions=False) as client:
            yield Shadowed(served.Service(project, services, serving, engine, client), shadow, counting)
