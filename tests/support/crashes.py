"""Writers in forked processes that are killed, and what the log promises about them afterwards."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.store.database import Database
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.merkle import leaf_hash
from minivess.compliance.verification.log import verify_entries
from minivess.observability.lineage.events import run_event
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport
from minivess.records.log.entry import Draft
from minivess.records.log.receipt import Receipt
from minivess.records.people.roles import Role
from tests.support.builders import audit_logs
from tests.support.servers.postgres import NOBODY
from tests.support.sqlite_disk import Access

_NUMBERS = count()
_PR_SET_PDEATHSIG = 1


@cache
def _complete_event() -> dict[str, Any]:
    return run_event("COMPLETE", UUID(int=0), "data.ingest", datetime(2026, 11, 21, tzinfo=UTC))


@dataclass(frozen=True)
class Site:
    """A log in some database, its people, and the file in which writers note what was acknowledged."""

    folder: Path
    url: str
    log_signer: Signer
    ada: Signer
    max: Signer

    @property
    def events(self) -> Path:
        """Where the relay delivers to."""
        return self.folder / "events.jsonl"

    def create(self) -> AuditLog:
        """Make the log."""
        return AuditLog.create(
            self.url,
            origin=audit_logs.ORIGIN,
            device="toy",
            log_signer=self.log_signer,
            roots=(self.ada.identity, self.max.identity),
            threshold=1,
            root_signer=self.max,
        )

    def open(self, *, wait: float = 30.0) -> AuditLog:
        """Open the log for writing."""
        return AuditLog.open(self.url, log_signer=self.log_signer, wait=wait)

    def relay(self, log: AuditLog) -> Relay:
        """A relay from the log to the events' file."""
        return Relay(log, FileTransport(self.events))

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """Note receipts, in a way that outlives the process, as soon as they are there."""
        lines = "".join(f"{receipt.index} {_leaf(receipt.entry.encode('utf-8'))}\n" for receipt in receipts)
        descriptor = os.open(self.folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(descriptor, lines.encode("ascii"))
        os.close(descriptor)

    def acknowledged(self) -> list[tuple[int, str]]:
        """Index and leaf hash of each entry that was acknowledged, in the order of the acknowledgements."""
        path = self.folder / "acknowledged"
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        return [(int(index), leaf) for index, leaf in (line.split() for line in lines)]


class Writer:
    """Numbers what it writes, so that it can be told whether anything was lost, doubled or moved."""

    def __init__(self, site: Site, log: AuditLog) -> None:
        self._site = site
        self._log = log
        self._name = f"{os.getpid()}-{next(_NUMBERS)}"
        self._number = 0

    def append(self) -> Receipt:
        """Append one entry with its event, and note the receipt."""
        draft, event = self._next()
        receipt = self._log.append(draft, self._site.ada, event=event)
        self._site.acknowledge([receipt])
        return receipt

    def append_all(self, amount: int) -> list[Receipt]:
        """Append several entries with their events at once, and note the receipts."""
        drafts, events = zip(*[self._next() for _ in range(amount)], strict=True)
        receipts = self._log.append_all(drafts, self._site.ada, events=events)
        self._site.acknowledge(receipts)
        return receipts

    def _next(self) -> tuple[Draft, dict[str, Any]]:
        self._number += 1
        payload = {"dataset": self._name, "cases": self._number}
        return audit_logs.draft(action="data.ingest", payload=payload), _event(payload)


def found(folder: Path, url: str) -> Site:
    """A new log, with nobody connected to it."""
    folder.mkdir(parents=True, exist_ok=True)
    people = audit_logs.service("log"), audit_logs.person("ada"), audit_logs.person("max", Role.RELEASE_MANAGER)
    site = Site(folder, url, *people)
    site.create().close()
    return site


def child(work: Callable[[], object]) -> int:
    """Run something in a forked process, which ends with this thread at the latest; returns the id of the process."""
    parent = os.getpid()
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def end(process: int) -> int:
    """Wait for a child; returns its exit code, or the signal that killed it as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def become_unprivileged() -> None:
    """In a child: give up what lets root do anything."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def together(works: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Run each in a thread of its own, and return what they raised."""
    raised: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


class Steps:
    """Counts the steps of everything that writes, and kills the process at one of them.

    A step is the moment before an SQL statement, a commit, a signature, a system call of the relay, or a note of what was
    acknowledged; the moment before and after an access of SQLite to its files, and its middle when it writes. The moment
    after anything else is the moment before whatever comes next: in between nothing leaves the process.
    """

    def __init__(self, last: int) -> None:
        self._left = last
        self._lock = threading.Lock()

    def step(self, *_: object) -> None:
        """Take one step."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(self, access: Access) -> int:
        """See `tests.support.sqlite_disk.Watcher`."""
        self.step(access)
        return 0

    halfway = step

    def after(self, access: Access) -> None:
        """See `tests.support.sqlite_disk.Watcher`; after a write is before whatever comes next."""
        if access.kind != "write":
            self.step(access)

    def install(self) -> None:
        """Count from now on. It changes the whole process, so it is called in a forked child."""
        event.listen(Engine, "before_cursor_execute", self.step)
        for owner, name in (
            (SQLiteDialect_pysqlite, "do_commit"),
            (PGDialect_psycopg, "do_commit"),
            (Database, "insert"),
            (Signer, "sign"),
            (os, "pwrite"),
            (os, "fsync"),
            (os, "ftruncate"),
            (Site, "acknowledge"),
            (AuditLog, "close"),
        ):
            setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*arguments: Any) -> Any:
            self.step()
            return function(*arguments)

        return stepping


@contextmanager
def opened(site: Site) -> Iterator[AuditLog]:
    """The log, let go of afterwards: no connection to SQLite may cross a fork."""
    log = site.open()
    try:
        yield log
    finally:
        log.close()


def faults(site: Site) -> list[str]:
    """Every promise the log broke, in words; goes on with the log by one more entry."""
    with opened(site) as log:
        pairs = list(log.pairs())
        checks, _, _ = verify_entries(pairs, log.checkpoint(), trust=site.log_signer.public)
        broken = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
        told = [json.loads(details)["payload"] for _, details in pairs if details is not None]
        times = [json.loads(line)["body"]["time"] for line, details in pairs if details is not None]
        broken += _lost([line for line, _ in pairs], site.acknowledged())
        broken += _misplaced([(payload["dataset"], payload["cases"]) for payload in told])
        events = [{**_event(payload), "eventTime": at} for payload, at in zip(told, times, strict=True)]
        broken += _undelivered(events, site, log)
        if Writer(site, log).append().index != len(pairs):
            broken.append("the log does not go on where it ended")
    return broken


def _leaf(line: bytes) -> str:
    return leaf_hash(line).hex()


def _lost(lines: list[bytes], acknowledged: list[tuple[int, str]]) -> Iterator[str]:
    leaves = [_leaf(line) for line in lines]
    for index, leaf in acknowledged:
        if index >= len(leaves) or leaves[index] != leaf:
            yield f"entry {index} was acknowledged and is not there"
    if len({index for index, _ in acknowledged}) != len(acknowledged):
        yield "an index was given twice"


def _misplaced(written: list[tuple[str, int]]) -> Iterator[str]:
    newest: dict[str, int] = {}
    for name, number in written:
        if number <= newest.get(name, 0):
            yield f"entry {number} of {name} stands twice or too late"
        newest[name] = number


def _undelivered(events: list[dict[str, Any]], site: Site, log: AuditLog) -> Iterator[str]:
    text = site.events.read_text(encoding="utf-8") if site.events.exists() else ""
    sent = [json.loads(line) for line in dict.fromkeys(text.split("\n")[:-1])]
    if sent != events[: len(sent)]:
        yield "events were delivered out of order, or are not those of the entries"
    waiting = [event for _, event in log.pending_events(limit=10**6)]
    if sent + [event for event in waiting if event not in sent] != events:
        yield "an event is neither delivered nor waiting"


def _event(payload: dict[str, Any]) -> dict[str, Any]:
    """The one event of an entry."""
    run = uuid5(UUID(int=0), f"{payload['dataset']} {payload['cases']}")
    return {**_complete_event(), "run": {"runId": str(run)}}
