"""Projects that tests of several rooms start from: each is made once a process, on a machine of its own, and copied."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from minivess.compliance.identity.signer import Signer
from minivess.workflows.data import ingestion, sealing, splitting, validation
from minivess.workflows.session.services import Services
from tests.support import projects
from tests.support.machines import machine
from tests.support.projects import ProjectFolder

SOURCE = Path(__file__).resolve().parents[2]


@cache
def started() -> ProjectFolder:
    """A project with people and a log, on this source tree."""
    with _folder() as folder:
        return projects.start(folder / "project", source=SOURCE)


@cache
def ingested() -> ProjectFolder:
    """A project whose cases are read."""
    return _continued(started(), ingestion.ingest)


@cache
def validated() -> ProjectFolder:
    """A project whose cases are read and validated."""
    return _continued(ingested(), validation.validate)


@cache
def split() -> ProjectFolder:
    """A project whose cases are validated and split."""
    return _continued(validated(), splitting.split)


@cache
def sealed() -> ProjectFolder:
    """A project whose test part is sealed and whose toy model is exported."""
    with _folder() as folder:
        project = split().copy_to(folder / "project")
        with project.services() as services:
            sealing.seal(services, project.signers["ada"])
        projects.add_toy_training(project)
        projects.export_toy_model(project)
    return project


@cache
def releasable(*, demo: bool = False) -> ProjectFolder:
    """A project on a tiny source tree that has everything a release needs; with `demo`, its people have demo keys."""
    with _folder() as folder:
        source = projects.write_committed_tree(folder / "source")
        project = projects.start(folder / "project", source=source, demo=demo)
        policy = project.workspace.root / "release" / "policy.yaml"
        policy.parent.mkdir()
        policy.write_text(projects.POLICY, encoding="utf-8")
        projects.seal(project)
        projects.add_toy_training(project)
        projects.export_toy_model(project)
        projects.evaluate_and_verify(project)
    return project


@cache
def servable() -> ProjectFolder:
    """A project that can be served: an evaluated toy model in production, its calibration and an enrolled service."""
    from tests.support.servers import served

    with _folder() as folder:
        project = started().copy_to(folder / "project")
        served.prepare(project)
    return project


def _continued(project: ProjectFolder, step: Callable[[Services, Signer], object]) -> ProjectFolder:
    """A copy of a project in which Ada has done one more step."""
    with _folder() as folder:
        made = project.copy_to(folder / "project")
        with made.services() as services:
            step(services, made.signers["ada"])
    return made


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="minivess-sample-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with machine(folder / "profile"):
        yield folder
