"""Writers that are killed at every step, disks that are full or read-only, servers that crash: nothing is lost or forked."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.compliance.verification.log import verify_log
from minivess.foundation.errors import CannotWriteError, CouldNotCheckError
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport
from tests import audit_logs
from tests.audit_logs import Desk, draft, lineage_event
from tests.postgres import Server

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-001", "REQ-005", "RC-06"),
]

KILLS, RANDOM_KILLS, FRESH_AFTER = 120, 30, 30


def in_child(act: Callable[[], None]) -> int:
    """Run something in a forked process; returns its wait status."""
    child = os.fork()
    if not child:
        try:
            act()
            os._exit(0)
        except BaseException:
            os._exit(70)
    return os.waitpid(child, 0)[1]


def acknowledged(path: Path) -> dict[int, str]:
    """What the children noted: index and digest of every entry they had a receipt for."""
    lines = path.read_text(encoding="ascii").split("\n")[:-1] if path.exists() else []
    return {int(index): digest for index, digest in (line.split() for line in lines)}


class Writer:
    """What each child does: append one, append three at once, deliver the events, move the write-ahead log."""

    def __init__(self, desk: Desk, name: str = "acknowledged.txt") -> None:
        self.desk, self.notes = desk, desk.folder / name
        self.log = AuditLog.open(desk.url, log_signer=desk.log_signer, wait=10.0)
        self.relay = Relay(self.log, FileTransport(desk.events))
        self.file = os.open(self.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work(self) -> None:
        events = [lineage_event(number) for number in range(4)]
        receipts = [self.log.append(draft(), self.desk.ada, event=events[0])]
        self.note(receipts)
        receipts = self.log.append_all([draft() for _ in range(3)], self.desk.max, events=events[1:])
        self.note(receipts)
        self.relay.deliver()
        self.log._database.scrub()

    def note(self, receipts: list[object]) -> None:
        for receipt in receipts:
            digest = sha256(receipt.entry.encode("utf-8")).hexdigest()  # type: ignore[attr-defined]
            os.write(self.file, f"{receipt.index} {digest}\n".encode("ascii"))  # type: ignore[attr-defined]

    def killed_at(self, step: int) -> None:
        """Work until so many calls, of Python or of C, were made or returned from; then SIGKILL."""
        left = step

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        self.work()
        sys.setprofile(None)
        os.write(self.file, b"")

    def steps(self) -> int:
        """How many steps the work takes."""
        total = 0

        def count(*_: object) -> None:
            nonlocal total
            total += 1

        sys.setprofile(count)
        self.work()
        sys.setprofile(None)
        return total


def check(desk: Desk) -> None:
    """Every acknowledged entry is there, none is missing or double, the log verifies and goes on."""
    log = desk.reopened()
    pairs = list(log.pairs())
    for index, digest in acknowledged(desk.folder / "acknowledged.txt").items():
        assert sha256(pairs[index][0]).hexdigest() == digest
    checks, _ = verify_log(pairs, log.checkpoint())
    assert all(one.passed for one in checks), checks
    log.append(draft(), desk.ada)
    log.close()


def check_events(desk: Desk) -> None:
    """Every event was delivered once at least, first deliveries in the order of the entries."""
    log = desk.reopened()
    with log._database.reading() as connection:
        committed = [row[0] for row in connection.exec_driver_sql("SELECT event FROM outbox ORDER BY id")]
    Relay(log, FileTransport(desk.events)).deliver()
    assert log.pending_events() == []
    delivered = desk.events.read_text(encoding="utf-8").splitlines()
    place = 0
    for line in delivered:  # a batch that came again follows its first delivery
        if place < len(committed) and line == committed[place]:
            place += 1
    assert place == len(committed)
    log.close()


def test_a_writer_killed_at_every_step_loses_nothing(any_desk: Desk) -> None:
    desk = any_desk
    desk.log.close()
    measure = os.pipe()
    assert in_child(lambda: os.write(measure[1], str(Writer(desk).steps()).encode())) == 0  # type: ignore[func-returns-value]
    steps = int(os.read(measure[0], 20))
    assert steps > 1000
    deaths = 0
    for number in range(KILLS):
        step = 1 + number * steps // KILLS
        status = in_child(lambda step=step: Writer(desk).killed_at(step))  # type: ignore[misc]
        deaths += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if number % 10 == 9:
            check(desk)
    check(desk)
    check_events(desk)
    assert deaths >= KILLS * 9 // 10


def test_writers_killed_at_any_moment_lose_nothing(any_desk: Desk) -> None:
    desk, chance = any_desk, random.Random(20261121)  # noqa: S311  when to kill
    desk.log.close()

    def for_ever() -> None:
        writer = Writer(desk)
        while True:
            writer.work()

    for _ in range(RANDOM_KILLS // 2):
        children = []
        for _ in range(2):
            child = os.fork()
            if not child:
                for_ever()
            children.append(child)
        time.sleep(chance.uniform(0.05, 0.4))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    check(desk)
    assert acknowledged(desk.folder / "acknowledged.txt")
    check_events(desk)


def test_a_server_that_crashes_loses_nothing(postgres: Server, tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path / "desk", url=postgres.new_database())
    desk.log.close()
    writer = Writer(desk)
    for _ in range(4):
        for _ in range(3):
            writer.work()
        assert postgres.kill_backends(desk.url) >= 1
        give_up = time.monotonic() + 60
        while True:
            try:
                writer.work()
                break
            except CouldNotCheckError:  # the server recovers
                assert time.monotonic() < give_up
                time.sleep(0.2)
    writer.log.close()
    check(desk)
    check_events(desk)


def test_what_is_acknowledged_does_not_need_the_memory_of_the_process(tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path / "desk")
    with desk.log._database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    source = desk.folder / "evidence"
    for number in range(5):
        receipt = desk.log.append(draft(), desk.ada)
        copy = tmp_path / f"after-{number}"
        copy.mkdir()
        for name in ("audit.db", "audit.db-wal"):  # without the shared memory, as after a power cut
            shutil.copy(source / name, copy / name)
        log = AuditLog.open(f"sqlite:///{copy / 'audit.db'}", log_signer=None)
        assert log.checkpoint() == receipt.checkpoint
        assert all(one.passed for one in verify_log(log.pairs(), log.checkpoint())[0])
        log.close()


@pytest.mark.verifies("REQ-003")
@pytest.mark.parametrize("room", [0, 3_000, 20_000, 60_000])
def test_a_full_disk_refuses_and_forks_nothing(tmp_path: Path, room: int) -> None:
    desk = audit_logs.start(tmp_path / "desk")
    for _ in range(5):
        desk.log.append(draft(), desk.ada, event=lineage_event(1))
    before = desk.log.checkpoint()
    desk.log.close()

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = Writer(desk)
        largest = max(path.stat().st_size for path in (desk.folder / "evidence").iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, resource.RLIM_INFINITY))
        refusals = 0
        for _ in range(60):
            try:
                writer.work()
            except CannotWriteError:
                refusals += 1
        os._exit(0 if refusals >= 20 else 71)

    assert os.waitstatus_to_exitcode(in_child(fill)) == 0
    again = desk.reopened()
    old, new = parse_note(before).checkpoint, parse_note(again.checkpoint()).checkpoint
    verify_consistency(old.size, new.size, again.consistency(old.size), old.root, new.root)
    again.close()
    check(desk)
    check_events(desk)


@pytest.mark.verifies("REQ-003")
def test_a_read_only_disk_refuses_and_forks_nothing(tmp_path: Path) -> None:
    desk = audit_logs.start(tmp_path / "desk")
    before = desk.log.append(draft(), desk.ada).checkpoint
    desk.log.close()
    evidence = desk.folder / "evidence"
    with sqlite3.connect(evidence / "audit.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    paths = [evidence, *evidence.iterdir()]
    modes = [path.stat().st_mode for path in paths]
    for path in reversed(paths):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in desk.folder.parents[:5]:
        parent.chmod(parent.stat().st_mode | 0o011)
    try:

        def refuse() -> None:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            for attempt in (
                lambda: desk.reopened().append(draft(), desk.ada),
                lambda: desk.reopened().check_writable(),
            ):
                try:
                    attempt()
                except CouldNotCheckError:
                    continue
                os._exit(71)

        assert os.waitstatus_to_exitcode(in_child(refuse)) == 0
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)
    again = desk.reopened()
    assert again.checkpoint() == before
    again.close()
    check(desk)
