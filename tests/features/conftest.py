"""The sample projects that scenarios copy, and what makes all of them faster."""

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
from tests.support.remembered_duplicates import remembered_duplicates
from tests.support.remembered_figures import remembered_figures
from tests.support.step_definitions import pytest_bdd_before_scenario

__all__ = [
    "ingested_project",
    "pytest_bdd_before_scenario",
    "releasable_project",
    "remembered_duplicates",
    "remembered_figures",
    "sealed_project",
    "servable_project",
    "split_project",
    "started_project",
    "validated_project",
]
