"""How the log's database is opened: SQLite that keeps what it acknowledged, or PostgreSQL by its URL.

SQLite runs in WAL mode with `synchronous=FULL` (NORMAL may lose acknowledged commits) and foreign keys on. A writer
takes the write lock before it reads (`BEGIN IMMEDIATE`; on PostgreSQL a transaction-level advisory lock), so that two
writers never build on the same head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, InputError, UsageError

_WRITES = "minivess_writes"
_ADVISORY_LOCK = 0x6D696E6976657373
"""`minivess` in ASCII: the key of the write lock on PostgreSQL."""


class Database:
    """One database. Every failure below SQLAlchemy comes out as `CouldNotCheckError`, and nothing is half-written.

    Args:
        url: an SQLAlchemy URL, for example `sqlite:////workspace/evidence/audit.db`.
        wait: seconds a writer waits for another to finish.
    """

    def __init__(self, url: str, *, wait: float) -> None:
        try:
            self._url = make_url(url)
            self._sqlite = self._url.get_backend_name() == "sqlite"
            options: dict[str, Any] = {"connect_args": {"timeout": wait}} if self._sqlite else {}
            self._engine: Engine = create_engine(self._url, **options)
        except (ArgumentError, ImportError) as error:
            raise UsageError(
                f"the database URL cannot be used: {type(error).__name__}",
                hint="use sqlite:///path/to/audit.db, or install the driver of your database",
            ) from error
        if self._sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self._engine

    def missing(self) -> bool:
        """Whether this is an SQLite database whose file does not exist (opening it would make one)."""
        name = self._url.database
        if not self._sqlite or not name or name == ":memory:" or name.startswith("file:"):
            return False
        return not Path(name).exists()

    def make_folder(self) -> None:
        """Make the folder of an SQLite database.

        Raises:
            CouldNotCheckError: it cannot be made.
        """
        name = self._url.database
        if self._sqlite and name and name != ":memory:" and not name.startswith("file:"):
            try:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _unreachable(error, "be made") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database.

        Raises:
            CouldNotCheckError: the database is out of reach.
        """
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _unreachable(error, "be read") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that holds the write lock until the block ends; commits at its end, rolls back on any error.

        Raises:
            CouldNotCheckError: the lock or the disk is out of reach.
        """
        try:
            with self._engine.connect() as connection:
                connection.execution_options(**{_WRITES: True})
                with connection.begin():
                    if not self._sqlite:
                        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                    yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _unreachable(error, "be written") from error

    def revision(self, connection: Connection) -> str | None:
        """The revision the database stands at; None when it was never set up."""
        return MigrationContext.configure(connection).get_current_revision()

    def migrate(self, connection: Connection) -> None:
        """Bring the tables to the newest revision, inside the caller's transaction.

        Raises:
            InputError: the database was written by a newer version of this package.
        """
        config = _alembic()
        scripts = ScriptDirectory.from_config(config)
        current = self.revision(connection)
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise InputError(
                f"the audit log's database is at revision {current!r}, which this version does not know",
                hint="install the version of minivess that wrote it, or a newer one",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def outdated(self, connection: Connection) -> bool:
        """Whether the tables are not at the newest revision."""
        return self.revision(connection) != ScriptDirectory.from_config(_alembic()).get_current_head()

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", (Path(__file__).parent / "migrations").as_posix().replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, never by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _unreachable(error: Exception, what: str) -> CouldNotCheckError:
    if isinstance(error, DBAPIError) and error.orig is not None:
        lines = str(error.orig).splitlines()
        reason = lines[0] if lines else type(error.orig).__name__
    elif isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
    else:
        reason = type(error).__name__
    kind = CannotWriteError if what == "be written" else CouldNotCheckError
    return kind(
        f"the log cannot {what}: {reason}",
        hint="check that its disk has space, that it may be written, and that no other process holds it",
    )
