"""Disks that fail, are full or may not be written: the log refuses, forks nothing, and goes on once they are mended."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.foundation.errors import CannotWriteError, CouldNotCheckError
from minivess.observability.lineage.transports import FileTransport
from tests.support import crashes, sqlite_disk
from tests.support.crashes import Site, Writer
from tests.support.servers.postgres import NOBODY
from tests.support.sqlite_disk import Access

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-001", "REQ-003", "REQ-005", "RC-06"),
]

_CODES = {
    "write": (sqlite_disk.FULL, sqlite_disk.FAILED_WRITE),
    "flush": (sqlite_disk.FAILED_FLUSH,),
    "truncate": (sqlite_disk.FAILED_TRUNCATE,),
    "delete": (sqlite_disk.FAILED_DELETE,),
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return crashes.found(tmp_path / "log", f"sqlite:///{tmp_path / 'log' / 'audit.db'}")


class _Failing:
    """Fails one access after so many, or all from there on."""

    def __init__(self, *, lasting: bool, which: int) -> None:
        self._lasting = lasting
        self._which = which
        self._left = 0
        self.failed = 0

    def arm(self, after: int) -> None:
        """Fail the access number `after`, from 1; 0 mends the disk."""
        self._left, self.failed = after, 0

    def before(self, access: Access) -> int:
        self._left -= 1
        if self._left == 0 or (self._lasting and self._left < 0 and self.failed):
            self.failed += 1
            codes = _CODES[access.kind]
            return codes[self._which % len(codes)]
        return 0

    def halfway(self, access: Access) -> None:
        pass

    def after(self, access: Access) -> None:
        pass


def _fail_in_turn(site: Site, failing: _Failing) -> None:
    """Fail every access in turn while entries are appended and the log is checkpointed; mend it after each."""
    sqlite_disk.watch(failing)
    log = site.open()
    writer = Writer(site, log)
    refusals = turn = 0
    while True:
        turn += 1
        failing.arm(turn)
        before = log.checkpoint()
        try:
            writer.append()
            log._database.scrub()
        except CannotWriteError:
            refusals += 1
        failed = failing.failed
        failing.arm(0)
        _check_continues(log, before)
        writer.append()
        _check_continues(log, before)
        if not failed:
            break
    log.close()
    assert refusals >= 15


def _check_continues(log: AuditLog, before: str) -> None:
    old, new = parse_note(before).checkpoint, parse_note(log.checkpoint()).checkpoint
    verify_consistency(old.size, new.size, log.consistency(old.size, new.size), old.root, new.root)


@pytest.mark.skipif(not sqlite_disk.reachable(), reason="this Python's SQLite is built in: its files cannot be watched")
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for-good"])
@pytest.mark.parametrize("which", [0, 1], ids=["full", "broken"])
def test_every_access_that_fails_is_a_refusal(site: Site, lasting: bool, which: int) -> None:
    assert crashes.end(crashes.child(partial(_fail_in_turn, site, _Failing(lasting=lasting, which=which)))) == 0
    assert crashes.faults(site) == []


def _fill(site: Site, limit: int) -> None:
    """Write to files of at most `limit` bytes until the disk is full for the log and for the relay; then make room."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails instead
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    log, relay = site.open(), None
    writer, relay = Writer(site, log), site.relay(log)
    before = writer.append().checkpoint
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    refused = {"log": 0, "relay": 0, "checkpoint": 0}
    for _ in range(60):
        for name, act in (
            ("log", lambda: writer.append_all(20)),
            ("relay", relay.deliver),
            ("checkpoint", log._database.scrub),
        ):
            try:
                act()
            except CannotWriteError:
                refused[name] += 1
        if min(refused["log"], refused["relay"]) >= 3:
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert refused["log"] >= 3, refused
    assert log.pending_events() == [] or refused["relay"] >= 3, refused
    _check_continues(log, before)
    writer.append_all(2)
    relay.deliver()
    assert log.pending_events() == []
    _check_continues(log, before)
    log.close()


@pytest.mark.parametrize("limit", [0, 5_000, 33_000, 70_000, 150_000, 400_000])
def test_a_full_disk_is_a_refusal(site: Site, limit: int) -> None:
    """The limits let the shared memory, the write-ahead log, the events' file or the tables run full first."""
    assert crashes.end(crashes.child(partial(_fill, site, limit))) == 0
    assert crashes.faults(site) == []


@pytest.mark.parametrize("limit", [0, 5_000, 33_000])
def test_a_disk_that_is_full_from_the_start_is_a_refusal(site: Site, limit: int) -> None:
    def refused() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(CouldNotCheckError):
            Writer(site, site.open()).append_all(50)

    assert crashes.end(crashes.child(refused)) == 0
    assert len(site.acknowledged()) == 0
    assert crashes.faults(site) == []


def test_events_that_do_not_fit_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    transport = FileTransport(path)
    transport.send([{"n": 0}])

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(CannotWriteError, match="File too large"):
            transport.send([{"n": 1, "text": "x" * 2000}])

    assert crashes.end(crashes.child(full)) == 0
    assert path.read_text(encoding="utf-8") == '{"n":0}\n'
    transport.send([{"n": 2}])
    assert path.read_text(encoding="utf-8") == '{"n":0}\n{"n":2}\n'


@pytest.fixture
def shared_site() -> Iterator[Site]:
    """A log in a folder that an unprivileged user can reach."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield crashes.found(Path(name) / "log", f"sqlite:///{Path(name) / 'log' / 'audit.db'}")


def _hand_over(folder: Path, *, folder_mode: int, file_mode: int) -> None:
    """Give a folder to the unprivileged user, with these rights."""
    for path in (*folder.iterdir(), folder):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        path.chmod(folder_mode if path.is_dir() else file_mode)


@pytest.mark.parametrize("in_use", [False, True], ids=["at-rest", "in-use"])
def test_what_may_not_be_written_is_a_refusal(shared_site: Site, in_use: bool) -> None:
    site = shared_site
    with crashes.opened(site) as log:
        head = log.checkpoint()
    readers, writers = os.pipe()

    def hold() -> None:
        """Somebody else, who may write, has the log open, so that its write-ahead log is there to be read."""
        log = site.open()
        log.check_writable()
        os.write(writers, b"open")
        signal.pause()

    holder = crashes.child(hold) if in_use else None
    if holder:
        os.read(readers, 4)
    _hand_over(site.folder, folder_mode=0o555, file_mode=0o444)

    def refused() -> None:
        crashes.become_unprivileged()
        if in_use:
            log = site.open()
            assert log.checkpoint() == head
            for act in (log.check_writable, Writer(site, log).append, lambda: log.mark_delivered([1])):
                with pytest.raises(CannotWriteError, match="readonly"):
                    act()
        else:
            with pytest.raises(CouldNotCheckError):
                Writer(site, site.open()).append()

    assert crashes.end(crashes.child(refused)) == 0
    if holder:
        os.kill(holder, signal.SIGKILL)
        crashes.end(holder)
    assert site.acknowledged() == []
    _hand_over(site.folder, folder_mode=0o755, file_mode=0o644)
    with crashes.opened(site) as log:
        assert log.checkpoint() == head
    assert crashes.faults(site) == []


def test_rights_that_are_taken_away_while_the_log_is_open_lose_nothing(shared_site: Site) -> None:
    site = shared_site
    (site.folder / "acknowledged").touch()
    _hand_over(site.folder, folder_mode=0o755, file_mode=0o644)

    def write() -> None:
        crashes.become_unprivileged()
        log = site.open()
        writer = Writer(site, log)
        before = writer.append().checkpoint
        for name in ("audit.db", "audit.db-wal", "audit.db-shm"):
            (site.folder / name).chmod(0o444)
        site.folder.chmod(0o555)
        writer.append()  # by a connection that was let in before: recorded, and on the disk
        log.close()
        with pytest.raises(CouldNotCheckError):
            writer.append()
        site.folder.chmod(0o755)
        for path in site.folder.iterdir():
            path.chmod(0o644)
        writer.append()
        _check_continues(log, before)
        log.close()

    assert crashes.end(crashes.child(write)) == 0
    assert len(site.acknowledged()) == 3
    assert crashes.faults(site) == []
