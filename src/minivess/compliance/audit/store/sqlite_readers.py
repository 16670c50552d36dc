"""Connections to an SQLite file for those who read it, from the standard library: reading loads no SQLAlchemy."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from minivess.foundation.implements import implements


class DriverConnection(Protocol):
    """A connection of the driver itself (PEP 249): `sqlite3` or psycopg."""

    def cursor(self) -> Any:
        """A cursor."""


@implements("REQ-209")
class SqliteReaders:
    """Connections that are kept for the next reader.

    Args:
        file: of the database.
        wait: seconds a reader waits for a lock.
        most: so many are kept.
    """

    def __init__(self, file: str, *, wait: float, most: int) -> None:
        self._file = file
        self._wait = wait
        self._most = most
        self._kept: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the database.

        Raises:
            sqlite3.Error: the database is out of reach.
        """
        with self._lock:
            kept = self._kept.pop() if self._kept else None
        reader = kept or sqlite3.connect(self._file, timeout=self._wait, isolation_level=None, check_same_thread=False)
        try:
            if kept is None:
                prepare(reader)
            reader.execute("BEGIN")
            yield reader
            reader.rollback()
        except BaseException:
            reader.close()  # which rolls back
            raise
        with self._lock:
            keep = len(self._kept) < self._most
            if keep:
                self._kept.append(reader)
        if not keep:
            reader.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            kept, self._kept = self._kept, []
        for reader in kept:
            reader.close()

    def forget(self) -> None:
        """Begin with no connection, as in a forked child."""
        self._lock = threading.Lock()
        self._kept = []


def prepare(connection: Any, _record: Any = None) -> None:
    """Set up a connection to SQLite: it keeps what it acknowledged, and transactions are begun by hand."""
    connection.isolation_level = None  # transactions are begun by `Database`, never by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
