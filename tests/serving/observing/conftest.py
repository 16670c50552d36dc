"""The running service with its observers."""

from __future__ import annotations

from tests.serving.inference.conftest import prepared_project, servable_project, started_project

__all__ = ["prepared_project", "servable_project", "started_project"]
