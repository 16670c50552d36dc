"""The sample projects that scenarios copy."""

from __future__ import annotations

from tests.support.project_fixtures import releasable_project, sealed_project, servable_project, started_project

__all__ = ["releasable_project", "sealed_project", "servable_project", "started_project"]
