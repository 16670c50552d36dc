"""How the log's database is opened: SQLite that keeps what it acknowledged, or PostgreSQL by its URL.

`asking` answers plain SQL for whoever reads the log: an SQLite file is opened with the standard library, so that reading
loads no SQLAlchemy. Writing, migrations and PostgreSQL go through SQLAlchemy, which is loaded when they are needed.

SQLite runs in WAL mode with `synchronous=FULL` (NORMAL may lose acknowledged commits), foreign keys on, and overwrites
what is deleted. A writer takes the write lock before it reads (`BEGIN IMMEDIATE`; on PostgreSQL a transaction-level
advisory lock), so that two writers never build on the same head. Readers see one state of the database.
"""

from __future__ import annotations

import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from minivess.compliance.audit.store import forks
from minivess.compliance.audit.store.sqlite_readers import DriverConnection, SqliteReaders, prepare
from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, UsageError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.foundation.names.sqlite_urls import sqlite_file

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlmodel import SQLModel

NEWEST = "0002"
"""The newest revision of the tables, so that Alembic is loaded only where there is something to migrate."""

_VERSIONS = "alembic_version"
_HAS_VERSIONS = {
    "sqlite": f"SELECT max(name) FROM sqlite_master WHERE type = 'table' AND name = '{_VERSIONS}'",  # noqa: S608
    "postgresql": f"SELECT to_regclass('{_VERSIONS}')",
}
"""Answers NULL where the tables were never made."""
_WRITES = "minivess_writes"
_VERSION = "minivess_data_version"
_CONNECTIONS = 32
_TURN_SECONDS = (0.0003, 0.0015)
"""How long a writer of SQLite sleeps between two tries to get its turn."""
_ADVISORY_LOCK = 0x6D696E6976657373
"""`minivess` in ASCII: the key of the write lock on PostgreSQL."""


def driver_of(connection: Connection) -> DriverConnection:
    """The driver's connection within SQLAlchemy's."""
    return cast("DriverConnection", connection.connection.dbapi_connection)


class Database:
    """One database. Every failure below SQLAlchemy comes out as `CouldNotCheckError`, and nothing is half-written.

    Args:
        url: an SQLAlchemy URL, for example `sqlite:////workspace/evidence/audit.db`.
        wait: seconds a writer waits for another to finish.
    """

    def __init__(self, url: str, *, wait: float) -> None:
        self._wait = wait
        self._given = url
        self._sqlite = re.match(r"sqlite[+:]", url) is not None
        self._name = unquote(url.partition("///")[2].partition("?")[0]) if self._sqlite else ""
        self._plain = sqlite_file(url)
        self._readers = None if self._plain is None else SqliteReaders(str(self._plain), wait=wait, most=_CONNECTIONS)
        self._made: Engine | None = None
        self._driver_error: type[Exception] = sqlite3.Error
        if self._plain is None:
            self._driver_error = self.engine.dialect.loaded_dbapi.Error
        self._statements: dict[tuple[type[SQLModel], tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}
        self._own = threading.local()
        self._kept: Connection | None = None
        self._crossed = False
        self._let_in()
        forks.watch(self)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, made when it is asked for first.

        Ask for it before `_use`: a process that is about to fork holds `forks.making` and waits for whoever is in `_use`.
        """
        if self._made is not None:
            return self._made
        with forks.making:
            if self._made is None:
                self._made = self._new_engine()
            return self._made

    def _new_engine(self) -> Engine:
        from sqlalchemy import URL, create_engine, event, make_url
        from sqlalchemy.exc import ArgumentError

        options: dict[str, Any] = (
            {"connect_args": {"timeout": self._wait}, "pool_size": _CONNECTIONS}
            if self._sqlite
            else {"pool_pre_ping": True, "pool_size": _CONNECTIONS, "isolation_level": "REPEATABLE READ"}
        )
        try:
            plain = self._plain
            url = make_url(self._given) if plain is None else URL.create("sqlite", database=str(plain))
            engine = create_engine(url, **options)
        except (ArgumentError, ImportError) as error:
            raise UsageError(
                f"the database URL cannot be used: {type(error).__name__}",
                hint="use sqlite:///path/to/audit.db, or postgresql+psycopg://… with `pip install 'minivess[postgres]'`",
            ) from error
        if self._sqlite:
            event.listen(engine, "connect", prepare)
            event.listen(engine, "begin", self._begin_sqlite)
        return engine

    @property
    def _on_disk(self) -> bool:
        """Whether this is an SQLite database in a file whose path the URL states."""
        return bool(self._name) and self._name != ":memory:" and not self._name.startswith("file:")

    def missing(self) -> bool:
        """Whether this is an SQLite database whose file does not exist (opening it would make one)."""
        return self._on_disk and not Path(self._name).exists()

    def make_folder(self) -> None:
        """Make the folder of an SQLite database.

        Raises:
            CouldNotCheckError: it cannot be made.
        """
        if self._on_disk:
            try:
                make_folder(Path(self._name).parent)
            except OSError as error:
                raise self._unreachable(error, "be made") from error

    @contextmanager
    def asking(self) -> Iterator[DriverConnection]:
        """A connection of the driver that sees one state of the database, for plain SQL.

        Raises:
            CouldNotCheckError: the database is out of reach.
        """
        if self._readers is None:
            with self.reading() as connection:
                yield driver_of(connection)
            return
        try:
            with self._use(), self._readers.lent() as reader:
                yield reader
        except (sqlite3.Error, OSError) as error:
            raise self._unreachable(error, "be read") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database.

        Raises:
            CouldNotCheckError: the database is out of reach.
        """
        try:
            with self._connected() as connection, connection.begin():
                yield connection
        except self._failures() as error:
            raise self._unreachable(error, "be read") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that holds the write lock until the block ends; commits at its end, rolls back on any error.

        Raises:
            CouldNotCheckError: the lock or the disk is out of reach.
        """
        try:
            engine = self.engine
            with self._use(), self._sqlite_writer() if self._sqlite else self._postgresql_writer(engine) as connection:
                yield connection
        except self._failures() as error:
            if getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                self._let_go()  # a connection that found the file read-only stays so when it is not any more
            raise self._unreachable(error, "be written") from error

    def insert(self, connection: Connection, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of plain values within `writing`, past the layers that a single statement spends its time in.

        Args:
            connection: from `writing`.
            table: where to.
            rows: values by column, every row with the same columns.
        """
        columns = tuple(rows[0])
        statement = self._statements.get((table, columns))
        if statement is None:
            from sqlalchemy import insert

            compiled = insert(table).compile(dialect=self.engine.dialect, column_keys=list(columns))
            statement = self._statements[table, columns] = (
                str(compiled),
                tuple(getattr(compiled, "positiontup", None) or ()),
            )
        sql, order = statement
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(sql, [tuple(row[key] for key in order) for row in rows] if order else list(rows))
        finally:
            cursor.close()

    def written_by_others(self, connection: Connection) -> bool:
        """Whether another connection may have written since this one was last asked; False where that cannot be known.

        Args:
            connection: from `writing`. SQLite counts what other connections commit (`PRAGMA data_version`).
        """
        if not self._sqlite:
            return False
        cursor = connection.connection.cursor()
        try:
            [(version,)] = cursor.execute("PRAGMA data_version").fetchall()
        finally:
            cursor.close()
        known = connection.connection.info
        seen, known[_VERSION] = known.get(_VERSION), version
        return bool(seen != version)

    def scrub(self) -> None:
        """Move what SQLite's write-ahead log holds into the database file and empty it, so that erased bytes are gone.

        On PostgreSQL old row versions go with its next VACUUM. Another process that reads at this moment keeps the
        write-ahead log a while longer; it goes with the next checkpoint.
        """
        if not self._sqlite:
            return
        try:
            with self._connected() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except self._failures() as error:
            raise self._unreachable(error, "be written") from error

    def before_fork(self) -> None:
        """Close every connection to SQLite, and let nobody in until the fork is over.

        A connection that crosses a fork makes SQLite believe, in the child, that locks are held which the parent holds
        alone (https://www.sqlite.org/howtocorrupt.html, 2.6): another process may then delete the write-ahead log that
        the child writes to.
        """
        if self._sqlite:
            self._idle.acquire()
            self._idle.wait_for(lambda: self._in_use == self._depth, timeout=self._wait)
            self._let_go()

    def after_fork_in_parent(self) -> None:
        """Let everybody in again."""
        if self._sqlite:
            self._idle.release()

    def after_fork_in_child(self) -> None:
        """Make own connections; when the process was forked in the midst of using the database, none at all."""
        self._crossed = self._sqlite and self._in_use > 0
        self._let_in()
        self._kept = None
        if self._readers is not None:
            self._readers.forget()
        if self._made is not None:
            self._made.dispose(close=False)

    def _let_in(self) -> None:
        self._idle = threading.Condition()
        self._in_use = 0

    @property
    def _depth(self) -> int:
        """How many connections this thread has in use."""
        return getattr(self._own, "depth", 0)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = self.engine
        with self._use(), engine.connect() as connection:
            yield connection

    @contextmanager
    def _use(self) -> Iterator[None]:
        """Keeps the process from forking while a connection is in use."""
        with self._idle:
            if self._crossed:
                raise OSError(0, "this process was forked in the midst of using the log")
            self._in_use += 1
        self._own.depth = self._depth + 1
        try:
            yield
        finally:
            self._own.depth = self._depth - 1
            with self._idle:
                self._in_use -= 1
                self._idle.notify_all()

    @contextmanager
    def _postgresql_writer(self, engine: Engine) -> Iterator[Connection]:
        from sqlalchemy import text

        with engine.connect() as connection:
            # What the writer reads once it has the lock is what the one before it committed.
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(self._wait * 1000))}")
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                yield connection

    @contextmanager
    def _sqlite_writer(self) -> Iterator[Connection]:
        """A connection is kept for this, and told to begin and commit directly: all that SQLAlchemy does around a
        transaction takes longer than a signature."""
        with self._idle:
            connection, self._kept = self._kept or self._new_writer(), None
        driver = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        try:
            self._begin_immediate(driver)
            yield connection
            if connection.in_transaction():  # as SQLAlchemy sees it, when it was asked anything
                connection.commit()
            driver.commit()
        except BaseException:
            connection.close()  # which rolls back
            raise
        self._keep(connection)

    def _keep(self, connection: Connection) -> None:
        with self._idle:
            spare, self._kept = self._kept, connection
        if spare is not None:
            spare.close()

    def _new_writer(self) -> Connection:
        connection = self.engine.connect()
        connection.execution_options(**{_WRITES: True})
        # SQLite's own wait sleeps ever longer, which starves a writer among many
        connection.connection.cursor().execute("PRAGMA busy_timeout=0")
        return connection

    def _begin_immediate(self, driver: sqlite3.Connection) -> None:
        give_up = time.monotonic() + self._wait
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                if not busy or time.monotonic() >= give_up:
                    raise
            time.sleep(random.uniform(*_TURN_SECONDS))  # noqa: S311  spreads the writers, keeps nothing secret

    def _let_go(self) -> None:
        """Close every connection that is not in use."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
        if self._readers is not None:
            self._readers.close()
        if self._made is not None:
            self._made.dispose()

    def _begin_sqlite(self, connection: Connection) -> None:
        if not connection.get_execution_options().get(_WRITES, False):  # a writer has begun
            connection.exec_driver_sql("BEGIN")

    def revision(self, driver: DriverConnection) -> str | None:
        """The revision the database stands at; None when it was never set up."""
        cursor = driver.cursor()
        try:
            cursor.execute(_HAS_VERSIONS["sqlite" if self._sqlite else "postgresql"])
            if cursor.fetchone()[0] is None:
                return None
            cursor.execute(f"SELECT version_num FROM {_VERSIONS}")  # noqa: S608  a name of our own
            found = cursor.fetchone()
        finally:
            cursor.close()
        return None if found is None else str(found[0])

    @implements("REQ-113")
    def migrate(self, connection: Connection) -> None:
        """Bring the tables to the newest revision, inside the caller's transaction.

        Raises:
            InputError: the database was written by a newer version of this package.
        """
        current = self.revision(driver_of(connection))
        if current == NEWEST:
            return
        from minivess.compliance.audit.store.migration_files import upgrade  # half a second, seldom needed

        upgrade(connection, current)

    def outdated(self, driver: DriverConnection) -> bool:
        """Whether the tables are not at the newest revision."""
        return self.revision(driver) != NEWEST

    def _failures(self) -> tuple[type[Exception], ...]:
        """What SQLAlchemy, the driver and the disk raise."""
        from sqlalchemy.exc import SQLAlchemyError

        return SQLAlchemyError, self._driver_error, OSError

    def _unreachable(self, error: Exception, what: str) -> CouldNotCheckError:
        own = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's errors
        if isinstance(own, self._driver_error):
            reason = (str(own) or type(own).__name__).splitlines()[0]
        elif isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
        else:
            reason = type(error).__name__
        kind = CannotWriteError if what == "be written" else CouldNotCheckError
        return kind(
            f"the log cannot {what}: {reason}",
            hint="check that its disk has space, that it may be written, and that no other process holds it",
        )

    def close(self) -> None:
        """Let go of all connections."""
        self._let_go()
