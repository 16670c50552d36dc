"""The database behind the log: migrations, and how durable it is told to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import SQLModel

from minivess.compliance.audit.store.database import Database
from tests.support.lazy_modules import lazily

with lazily("minivess.compliance.audit.store.migration_files"):
    from minivess.compliance.audit.store import migration_files

pytestmark = pytest.mark.verifies("SU-12")


@pytest.mark.verifies("REQ-113")
def test_migrations_make_the_tables_the_code_expects(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    database = Database(f"sqlite:///{tmp_path / 'a.db'}", wait=1.0)
    with database.writing() as connection:
        database.migrate(connection)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    with database.asking() as driver:
        assert not database.outdated(driver)
        assert database.revision(driver) == ScriptDirectory.from_config(migration_files.migrations()).get_current_head()


def test_commits_are_durable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", wait=1.0)
    with database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
