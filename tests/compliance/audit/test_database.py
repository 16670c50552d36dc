"""The database behind the log: migrations, and how durable it is told to be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.store.database import Database
from minivess.foundation.errors import CouldNotCheckError, InputError
from tests import audit_logs


@pytest.mark.verifies("REQ-113")
def test_migrations_make_the_tables_the_code_expects(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", wait=1.0)
    with database.writing() as connection:
        database.migrate(connection)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
        assert not database.outdated(connection)


@pytest.mark.verifies("REQ-113")
def test_a_migration_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", wait=1.0)

    def interrupted() -> None:
        with database.writing() as connection:
            database.migrate(connection)
            raise OSError(28, "No space left on device")

    with pytest.raises(CouldNotCheckError):
        interrupted()
    with database.reading() as connection:
        assert database.revision(connection) is None


def test_commits_are_durable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", wait=1.0)
    with database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.verifies("REQ-113")
def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path)
    desk.log.close()
    with sqlite3.connect(tmp_path / "evidence" / "audit.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(InputError, match="9999"):
        desk.reopened()
    with pytest.raises(CouldNotCheckError, match="version"):
        AuditLog.open(desk.url, log_signer=None)
