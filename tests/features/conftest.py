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

__all__ = [
    "ingested_project",
    "releasable_project",
    "sealed_project",
    "servable_project",
    "split_project",
    "started_project",
    "validated_project",
]
