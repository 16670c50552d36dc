"""The log on PostgreSQL: what it flushes, what it sees, and what it does when the server fails under it."""

from __future__ import annotations

import os
import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from minivess.compliance.audit.store.database import driver_of
from minivess.compliance.audit.stored_rows import size_of
from minivess.foundation.errors import CannotWriteError, CouldNotCheckError
from tests.support import crashes
from tests.support.crashes import Site, Writer
from tests.support.servers.postgres import Server, name_in

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-001", "REQ-003", "RC-06"),
]

_CRASHES = 3
_THREADS = 4


@pytest.fixture
def site(tmp_path: Path, postgres_url: str) -> Site:
    return crashes.found(tmp_path, postgres_url)


def test_the_server_flushes_what_it_commits(postgres: Server) -> None:
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert postgres.query(f"SHOW {name}") == [("on",)]


def test_migrations_make_the_tables_the_code_expects(site: Site) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with crashes.opened(site) as log, log._database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
        assert not log._database.outdated(driver_of(connection))


def test_commits_are_flushed_whatever_the_database_says(site: Site, postgres: Server) -> None:
    postgres.query(f"ALTER DATABASE {name_in(site.url)} SET synchronous_commit = off")
    log = site.open()
    writer = Writer(site, log)
    for _ in range(_CRASHES):
        writer.append()
        log._database.engine.dispose()  # so that the server, and not the pool, is what fails
        postgres.stop()
        postgres.start()
    log.close()
    assert crashes.faults(site) == []


def test_a_reader_sees_one_state(site: Site) -> None:
    with crashes.opened(site) as log, crashes.opened(site) as other:
        with log._database.asking() as connection:
            before = size_of(connection)
            Writer(site, other).append_all(3)
            assert size_of(connection) == before
        assert log.size == before + 3
    assert crashes.faults(site) == []


def test_isolation_that_the_database_asks_for_does_not_make_writers_fail(site: Site, postgres: Server) -> None:
    postgres.query(f"ALTER DATABASE {name_in(site.url)} SET default_transaction_isolation = 'serializable'")
    log = site.open()

    def write() -> None:
        writer, own = Writer(site, log), site.open()
        for _ in range(5):
            writer.append()
            Writer(site, own).append()
        own.close()

    assert crashes.together([write] * _THREADS) == []
    log.close()
    assert crashes.faults(site) == []


def test_a_writer_waits_no_longer_than_it_was_told(site: Site, postgres: Server) -> None:
    log = site.open(wait=0.2)
    writer = Writer(site, log)
    with log._database.writing():
        other = site.open(wait=0.2)
        for act in (Writer(site, other).append, other.check_writable, lambda: other.mark_delivered([1])):
            with pytest.raises(CannotWriteError, match="lock timeout"):
                act()
        assert other.size == 1
    other.close()
    writer.append()
    log.close()
    assert crashes.faults(site) == []


def test_a_database_that_is_read_only_is_a_refusal(site: Site, postgres: Server) -> None:
    name = name_in(site.url)
    postgres.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    log = site.open()
    head = log.checkpoint()
    writer = Writer(site, log)
    for act in (writer.append, log.check_writable, lambda: log.mark_delivered([1])):
        with pytest.raises(CannotWriteError, match="read-only"):
            act()
    assert log.checkpoint() == head
    log.close()
    postgres.query(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    writer.append()
    log.close()
    assert crashes.faults(site) == []


def test_a_role_that_may_not_write_is_a_refusal(site: Site, postgres: Server) -> None:
    role = f"reader_{name_in(site.url)}"
    postgres.query(f"CREATE ROLE {role} LOGIN")
    postgres.query(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", url=site.url)
    theirs = Site(site.folder, site.url.replace("postgres@", f"{role}@"), site.log_signer, site.ada, site.max)
    log = theirs.open()
    for act in (Writer(theirs, log).append, log.check_writable):
        with pytest.raises(CannotWriteError, match="permission denied"):
            act()
    assert log.size == 1
    log.close()
    assert crashes.faults(site) == []


def test_a_server_that_is_gone_is_a_refusal_until_it_is_back(site: Site, postgres: Server) -> None:
    log = site.open()
    writer = Writer(site, log)
    writer.append()
    postgres.stop()
    with pytest.raises(CannotWriteError):
        writer.append()
    with pytest.raises(CouldNotCheckError):
        assert log.size
    with pytest.raises(CouldNotCheckError):
        site.open()
    postgres.start()
    writer.append()
    log.close()
    assert crashes.faults(site) == []


def test_a_disk_that_is_full_for_the_server_is_a_refusal(site: Site, postgres: Server) -> None:
    log = site.open()
    writer = Writer(site, log)
    writer.append()
    backends = postgres.backends(site.url)

    def limit(size: int) -> None:
        crashes.become_unprivileged()  # as the server is
        for backend in backends:
            resource.prlimit(backend, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    assert crashes.end(crashes.child(partial(limit, 8192))) == 0
    head = log.checkpoint()
    for _ in range(3):
        with pytest.raises(CannotWriteError, match=r"File too large|server closed"):
            writer.append_all(100)
    postgres.wait_until_up()  # a server that cannot write its write-ahead log ends, and recovers
    assert log.checkpoint() == head
    if postgres.backends(site.url) == backends:
        assert crashes.end(crashes.child(partial(limit, resource.RLIM_INFINITY))) == 0
    writer.append()
    log.close()
    assert crashes.faults(site) == []


def _kill_backends(postgres: Server, site: Site) -> None:
    while not postgres.kill_backends(site.url):
        time.sleep(0.001)


def _restart(postgres: Server, _: Site) -> None:
    postgres.stop()
    postgres.start()


@pytest.mark.parametrize("crash", [_kill_backends, _restart])
def test_a_server_that_crashes_loses_nothing(
    site: Site, postgres: Server, crash: Callable[[Server, Site], None]
) -> None:
    """Threads write on through the crashes of the server; refusals are no acknowledgements."""
    enough = site.folder / "enough"

    def write(writer: Writer, relay: Callable[[], int]) -> None:
        while not enough.exists():
            try:
                writer.append()
                writer.append_all(3)
                relay()
            except CouldNotCheckError:
                time.sleep(0.02)

    def write_on() -> None:
        log = site.open()
        relay = site.relay(log)
        works = [partial(write, Writer(site, log), relay.deliver) for _ in range(_THREADS)]
        assert crashes.together(works) == []

    process = crashes.child(write_on)
    try:
        for number in range(1, _CRASHES + 1):
            seen = len(site.acknowledged())
            while len(site.acknowledged()) < seen + 4 * number:
                assert os.waitpid(process, os.WNOHANG) == (0, 0), "the writers ended by themselves"
                time.sleep(0.005)
            crash(postgres, site)
            postgres.wait_until_up()
    finally:
        enough.touch()
    assert crashes.end(process) == 0
    assert crashes.faults(site) == []


class _Line:
    """A socket that leads to the server, until it is told to break down after the next commit has been answered."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._far = str(server.folder / ".s.PGSQL.5432")
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / ".s.PGSQL.5432"))
        self._door.listen()
        self.breaks = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._carry, args=(self._door.accept()[0],), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        broken = False
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(self._far)
            while True:
                for source in select.select([near, far], [], [])[0]:
                    if not (data := source.recv(1 << 20)):
                        return
                    if source is near:
                        broken = broken or (self.breaks.is_set() and b"COMMIT\0" in data)
                        far.sendall(data)
                    elif broken:
                        return
                    else:
                        near.sendall(data)


def test_a_commit_whose_answer_is_lost_leaves_one_log(site: Site, postgres: Server) -> None:
    folder = postgres.folder / f"line-{name_in(site.url)}"
    folder.mkdir()
    line = _Line(postgres, folder)
    url = site.url.replace(str(postgres.folder), str(folder))
    log = Site(site.folder, url, site.log_signer, site.ada, site.max).open()
    writer = Writer(site, log)
    writer.append()
    line.breaks.set()
    with pytest.raises(CannotWriteError):
        writer.append()
    line.breaks.clear()
    assert log.size == 3  # it stands in the log, although nobody could be told so
    writer.append()
    log.close()
    line.close()
    assert crashes.faults(site) == []
