"""A desk on each of the databases a log can live in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk


@pytest.fixture(params=["sqlite", "postgresql"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """A log with two people, in SQLite and in PostgreSQL."""
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else ""
    return audit_logs.start(tmp_path / "desk", url=url)
