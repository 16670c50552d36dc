"""The migrations of the log's tables: where Alembic finds them, and running them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from minivess.foundation.errors import InputError


def migrations() -> Config:
    """What Alembic needs to know of the folder of migrations."""
    config = Config()
    config.set_main_option("script_location", (Path(__file__).parent / "migrations").as_posix().replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection, current: str | None) -> None:
    """Bring the tables to the newest revision, inside the transaction of the connection.

    Args:
        connection: holds the write lock.
        current: the revision the database stands at; None: it has no tables.

    Raises:
        InputError: the database was written by a newer version of this package.
    """
    config = migrations()
    scripts = ScriptDirectory.from_config(config)
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise InputError(
            f"the audit log's database is at revision {current!r}, which this version does not know",
            hint="install the version of minivess that wrote it, or a newer one",
        )
    if not connection.in_transaction():
        connection.begin()  # otherwise Alembic makes a transaction of its own, and commits it
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
