"""The running service, on a copy of a sample project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.project_fixtures import servable_project, started_project
from tests.support.projects import ProjectFolder
from tests.support.servers import served

__all__ = ["servable_project", "started_project"]


@pytest.fixture(scope="module")
def prepared_project(servable_project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    """A project that can be served."""
    return servable_project.copy_to(tmp_path_factory.mktemp("served") / "project")


@pytest.fixture(scope="module")
def service(prepared_project: ProjectFolder) -> Iterator[served.Service]:
    """One service for all tests of a module that only send requests."""
    with served.running(prepared_project) as running:
        yield running
