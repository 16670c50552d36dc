"""The databases a log can live in, and a desk on each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk
from tests.support.servers.postgres import Server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server. Without one the tests fail, unless MINIVESS_TESTS_WITHOUT_POSTGRES leaves them out."""
    if os.environ.get("MINIVESS_TESTS_WITHOUT_POSTGRES") == "1":
        pytest.skip("MINIVESS_TESTS_WITHOUT_POSTGRES leaves out what needs PostgreSQL")
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """SQLAlchemy URL of an empty database on PostgreSQL."""
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'audit.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """A log with two people, in SQLite and in PostgreSQL."""
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else ""
    return audit_logs.start(tmp_path / "desk", url=url)
