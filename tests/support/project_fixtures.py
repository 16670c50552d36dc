"""Sample projects as fixtures, for the conftest of each room that uses them. Copy a project before changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.projects import ProjectFolder


@pytest.fixture(scope="session")
def started_project() -> ProjectFolder:
    """A project with people and a log."""
    from tests.support import sample_projects

    return sample_projects.started()


@pytest.fixture(scope="session")
def ingested_project() -> ProjectFolder:
    """A project whose cases are read."""
    from tests.support import sample_projects

    return sample_projects.ingested()


@pytest.fixture(scope="session")
def validated_project() -> ProjectFolder:
    """A project whose cases are read and validated."""
    from tests.support import sample_projects

    return sample_projects.validated()


@pytest.fixture(scope="session")
def split_project() -> ProjectFolder:
    """A project whose cases are validated and split."""
    from tests.support import sample_projects

    return sample_projects.split()


@pytest.fixture(scope="session")
def sealed_project() -> ProjectFolder:
    """A project whose test part is sealed and whose toy model is exported."""
    from tests.support import sample_projects

    return sample_projects.sealed()


@pytest.fixture(scope="session")
def releasable_project() -> ProjectFolder:
    """A project on a tiny source tree that has everything a release needs."""
    from tests.support import sample_projects

    return sample_projects.releasable()


@pytest.fixture(scope="session")
def servable_project() -> ProjectFolder:
    """A project that can be served."""
    from tests.support import sample_projects

    return sample_projects.servable()
