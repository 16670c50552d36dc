"""The sample projects that tests of workflows copy."""

from __future__ import annotations

from tests.support.project_fixtures import releasable_project, sealed_project, servable_project, started_project
from tests.support.remembered_duplicates import remembered_duplicates
from tests.support.remembered_figures import remembered_figures

__all__ = [
    "releasable_project",
    "remembered_duplicates",
    "remembered_figures",
    "sealed_project",
    "servable_project",
    "started_project",
]
