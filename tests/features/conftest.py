"""The sample projects that scenarios copy."""

from __future__ import annotations

from tests.support.project_fixtures import (
    ingested_project,
    releasable_project,
    sealed_project,
    servable_project,
    split_project,
    started_project,
    validated_project,
)
from tests.support.remembered_figures import remembered_figures

__all__ = [
    "ingested_project",
    "releasable_project",
    "remembered_figures",
    "sealed_project",
    "servable_project",
    "split_project",
    "started_project",
    "validated_project",
]
