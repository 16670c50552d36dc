"""Every column, node, checkpoint and row of the outbox of a log's database is changed, and comparison must name it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.rebuild import compare, rebuild
from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow
from minivess.compliance.verification.log import verify_log
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import MinivessError
from minivess.observability.lineage.entry_events import event_of
from tests.yardstick.story import YardLog, device

TABLES = ("entry", "node", "checkpoint", "outbox")
_NOT_BY_PLACE = frozenset({"eventTime"})


@dataclass(frozen=True)
class Change:
    """One statement that changes the database."""

    place: str
    """Table and column, of the outbox's events the JSON path as well."""
    kind: str
    what: str
    statement: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.place}, {self.kind}: {self.what}"


class Store:
    """The story of a device in a database that is put back after each change."""

    def __init__(self, folder: Path) -> None:
        self.log: YardLog = device()
        self.file, pristine = folder / "audit.db", folder / "pristine.db"
        self.url = f"sqlite:///{self.file}"
        self.database = Database(self.url, wait=5.0)
        with self.database.writing() as connection:
            self.database.migrate(connection)
            self.database.insert(
                connection, EntryRow, [_row(self.log, index) for index in range(len(self.log.entries))]
            )
            sizes = range(1, len(self.log.entries) + 1)
            notes = [{"size": size, "note": self.log.note_of(self.log.lines, size)} for size in sizes]
            self.database.insert(connection, CheckpointRow, notes)
        rebuild(self.database, self.log.origin, events=event_of)
        self.database.scrub()
        with closing(sqlite3.connect(self.file)) as here, closing(sqlite3.connect(pristine)) as there:
            here.backup(there)
        self._connection = sqlite3.connect(self.file, isolation_level=None)
        self._connection.execute("PRAGMA foreign_keys = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("ATTACH DATABASE ? AS pristine", (str(pristine),))

    def close(self) -> None:
        self._connection.close()
        self.database.close()

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database answers."""
        return self._connection.execute(question, values).fetchall()

    def judge(self, change: Change) -> str:
        """What is said of the database with a change; empty: nothing."""
        try:
            self._connection.execute(change.statement, change.values)
        except sqlite3.IntegrityError:
            return "the database itself refuses this"
        try:
            return self.verdict()
        finally:
            for table in TABLES:
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
                self._connection.execute(f"INSERT INTO {table} SELECT * FROM pristine.{table}")  # noqa: S608

    def verdict(self) -> str:
        """What `audit verify` finds: in the log, then in the caches; empty: nothing."""
        try:
            with closing(AuditLog.open(self.url, log_signer=None)) as log:
                checks, _ = verify_log(log.pairs(), log.checkpoint())
                failed = next((check.detail for check in checks if not check.passed), "")
            if failed:
                return failed
            found = compare(self.database, self.log.origin, events=event_of)
        except MinivessError as error:
            return error.message
        return next(iter([*found.differences, *found.left]), "")


def _row(log: YardLog, index: int) -> dict[str, Any]:
    body = log.entries[index].body
    return {
        "index": index,
        "content": log.lines[index],
        "details": log.details[index],
        "action": body.action,
        "outcome": body.outcome.value,
        "actor": body.actor,
        "time": timestamp(body.time),
        "started": body.started,
    }


def changes(store: Store) -> Iterator[Change]:
    """Everything that is tried, in a fixed order."""
    yield from _columns(store)
    yield from _nodes(store)
    yield from _checkpoints(store)
    yield from _outbox(store)


def _columns(store: Store) -> Iterator[Change]:
    last = {(entry.body.action, entry.body.outcome): entry.body.index for entry in store.log.entries}
    for index in sorted(last.values()):
        for column in ("action", "outcome", "actor", "time", "started", "content", "details"):
            [(held,)] = store.rows(f'SELECT {column} FROM entry WHERE "index" = ?', index)  # noqa: S608
            others = store.rows(
                f'SELECT {column} FROM entry WHERE {column} IS NOT ? AND {column} IS NOT NULL ORDER BY "index" > ?, "index" DESC',  # noqa: S608
                held,
                index,
            )
            new: dict[str, Any] = {"removed": None, "other type": b"x" if isinstance(held, str) else "x"}
            if others:
                new |= {"older": others[0][0], "swapped": others[-1][0]}
            if held is not None:
                new["bent"] = _bent(held)
            for kind, value in new.items():
                if value != held:
                    statement = f'UPDATE entry SET {column} = ? WHERE "index" = ?'  # noqa: S608
                    yield Change(f"entry.{column}", kind, f"entry {index}", statement, (value, index))
        yield Change("entry", "removed", f"entry {index}", 'DELETE FROM entry WHERE "index" = ?', (index,))
        for new_index in (-1, 999):
            statement = 'UPDATE entry SET "index" = ? WHERE "index" = ?'
            yield Change("entry.index", "bent", f"entry {index} to {new_index}", statement, (new_index, index))
    statement = (
        'INSERT INTO entry SELECT {}, content, details, action, outcome, actor, time, NULL FROM entry WHERE "index" = 3'
    )
    for place in ("-1", "99", "0.5", "'x'"):
        yield Change("entry", "added", f"at {place}", statement.format(place))


def _bent(held: Any) -> Any:
    if isinstance(held, bytes):
        return held[:-9] + bytes([held[-9] ^ 1]) + held[-8:] if len(held) > 9 else held + b"x"
    return held[:-1] + ("x" if held[-1] != "x" else "y") if isinstance(held, str) else held + 1


def _nodes(store: Store) -> Iterator[Change]:
    rows = store.rows("SELECT id, hash FROM node ORDER BY id")
    for place in sorted({0, 1, 2, 3, 6, rows[-1][0], rows[len(rows) // 2][0]}):
        update = "UPDATE node SET hash = ? WHERE id = ?"
        other = next(value for identifier, value in rows if identifier != place)
        for kind, value in (
            ("swapped", other),
            ("older", rows[0][1] if place else rows[1][1]),
            ("other type", "x"),
            ("bent", bytes(32)),
        ):
            yield Change("node.hash", kind, f"node {place}", update, (value, place))
        yield Change("node", "removed", f"node {place}", "DELETE FROM node WHERE id = ?", (place,))
        for new in (-1, 9999):
            yield Change("node.id", "bent", f"{place} to {new}", "UPDATE node SET id = ? WHERE id = ?", (new, place))
    for value in (-1, 9999, 0.5):
        yield Change("node", "added", f"node {value}", "INSERT INTO node VALUES (?, ?)", (value, bytes(32)))
    yield Change("node", "removed", "all", "DELETE FROM node")


def _checkpoints(store: Store) -> Iterator[Change]:
    size = len(store.log.entries)
    notes = dict(store.rows("SELECT size, note FROM checkpoint"))
    changed = store.log.log_keys[1][0]
    update = "UPDATE checkpoint SET note = ? WHERE size = ?"
    for place in (1, changed - 1, changed, size - 1, size):
        lines = notes[place].split("\n")
        for number, what in enumerate(("origin", "size", "root", "blank", "signature")):
            for kind, line in (("removed", None), ("bent", _bent_line(lines[number]))):
                new = [*lines[:number], *([] if line is None else [line]), *lines[number + 1 :]]
                yield Change("checkpoint.note", kind, f"{what} of {place}", update, ("\n".join(new), place))
        older = notes[place - 1 if place > 1 else size]
        yield Change("checkpoint.note", "older", f"of {place}", update, (older, place))
        yield Change("checkpoint.note", "other type", f"of {place}", update, (b"\x00\xff", place))
        resigned = store.log.note_of([*store.log.lines[: place - 1], b"{}"])
        yield Change("checkpoint.note", "signed again", f"other entries than {place}", update, (resigned, place))
        yield Change("checkpoint", "removed", f"of {place}", "DELETE FROM checkpoint WHERE size = ?", (place,))
        for new_size in (-1, 999):
            statement = "UPDATE checkpoint SET size = ? WHERE size = ?"
            yield Change("checkpoint.size", "bent", f"{place} to {new_size}", statement, (new_size, place))
        stamped = "UPDATE checkpoint SET timestamp = ? WHERE size = ?"
        for value in (b"x", "x"):
            yield Change("checkpoint.timestamp", "added", f"{value!r} to {place}", stamped, (value, place))


def _bent_line(line: str) -> str:
    if not line:
        return "x"
    return line[:-3] + ("B" if line[-3] != "B" else "C") + line[-2:] if len(line) > 3 else str(int(line) + 1)


def _outbox(store: Store) -> Iterator[Change]:
    rows = store.rows("SELECT id, entry, event FROM outbox ORDER BY id")
    seen = set[tuple[str, str]]()
    update = "UPDATE outbox SET event = ? WHERE id = ?"
    for place, (identifier, entry, text) in enumerate(rows):
        event = json.loads(text)
        for path, kind, new in _events(event):
            if (path, kind) not in seen:
                seen.add((path, kind))
                yield Change(f"outbox.event: {path}", kind, f"of entry {entry}", update, (json.dumps(new), identifier))
        if place % 9 == 0:
            other = rows[place - 1]
            yield Change("outbox.event", "swapped", f"of entry {entry}", update, (other[2], identifier))
            yield Change("outbox.event", "other type", f"of entry {entry}", update, (7, identifier))
            yield Change("outbox.event", "bent", f"of entry {entry}", update, ("{", identifier))
            yield Change("outbox", "removed", f"of entry {entry}", "DELETE FROM outbox WHERE id = ?", (identifier,))
            for new_entry in (other[1], 999, -1, "x"):
                statement = "UPDATE outbox SET entry = ? WHERE id = ?"
                yield Change("outbox.entry", "bent", f"{entry} to {new_entry}", statement, (new_entry, identifier))
            delivered = "UPDATE outbox SET delivered_at = ? WHERE id = ?"
            for value in ("x", 7, "2026-11-20T08:00:00.000000Z"):
                kind = "older" if str(value).startswith("2") else "other type"
                yield Change("outbox.delivered_at", kind, f"of entry {entry}: {value}", delivered, (value, identifier))
            double = "INSERT INTO outbox (entry, event) VALUES (?, ?)"
            yield Change("outbox", "added", f"of entry {entry}", double, (entry, text))
    yield Change("outbox", "removed", "all", "DELETE FROM outbox")
    yield Change("outbox", "added", "of no entry", "INSERT INTO outbox (entry, event) VALUES (999, ?)", (rows[0][2],))


def _events(event: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    from tests.yardstick.fields import _bent as bent
    from tests.yardstick.fields import _changed, _other_type, _places

    for path, old in _places(event):
        name = ".".join("[]" if isinstance(step, int) else step for step in path)
        yield name, "removed", _changed(event, path, "removed", None)
        yield name, "other type", _changed(event, path, "other type", _other_type(old))
        if (new := bent(old)) is not None:
            yield name, "bent", _changed(event, path, "bent", new)
        if isinstance(old, dict | list):
            yield name, "added", _changed(event, path, "added", None)
