"""Where a log stands, as its database says, checked against its last signed checkpoint; and how its rows are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from minivess.compliance.audit.store.sqlite_readers import DriverConnection
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, Node, leaf_hash, node_id
from minivess.compliance.rules.admission import admit
from minivess.compliance.rules.standing import Standing
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry

PAGE = 2000
PAIRS = 'SELECT "index", content, details FROM entry WHERE "index" >= {:d} ORDER BY "index" LIMIT {:d}'
_NEWEST_ENTRY = 'SELECT max("index") FROM entry'
_NEWEST_CHECKPOINT = "SELECT max(size) FROM checkpoint"


@dataclass(frozen=True)
class Head:
    """Where the log stands: the tree's frontier, the time of its last entry, and what may be appended next."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    time: datetime | None = None
    standing: Standing = field(default_factory=Standing)

    @property
    def register(self) -> Register:
        """Who may act after the last entry."""
        return self.standing.people_at(self.size)


@implements("REQ-132", "RC-42")
def catch_up(connection: DriverConnection, head: Head, *, origin: str) -> Head:
    """The head with what others added since, read from the entries' bytes and compared with the newest checkpoint.

    Columns, nodes and the outbox have no part in it: they repeat what the bytes say, and somebody may have changed them.

    Args:
        connection: holds the write lock, or sees one state of the database.
        head: how far the log was read before; the default reads it from its beginning.
        origin: the log's name.

    Raises:
        VerificationError: an entry was changed, may not be where it is, or is not under the newest signed checkpoint.
    """
    size = size_of(connection)
    if size == head.size:
        return head
    if size < head.size:
        raise VerificationError(f"the log has shrunk from {head.size} to {size} entries")
    # Never sign on top of a head that the log's own key has not signed.
    if rows_of(connection, _NEWEST_CHECKPOINT) != [(size,)]:
        raise _disagreement(size)
    frontier, standing, time = Frontier(head.size, head.peaks), head.standing, head.time
    for start, lines in _pages(connection, head.size, size):
        for index, line in enumerate(lines, start):
            standing, time = follow(standing, index, line)
        frontier.extend([leaf_hash(line) for line in lines])
    try:
        signed = parse_note(note_of(connection, size)).verify(origin, standing.register.log_key)
    except (InputError, VerificationError):
        raise _disagreement(size) from None
    if signed != Checkpoint(origin, size, frontier.root()):
        raise _first_changed(connection, size) or _disagreement(size)
    return Head(size, frontier.peaks, time, standing)


@implements("REQ-132", "RC-42")
def check_unchanged(connection: DriverConnection, head: Head) -> None:
    """Say whether the entries in the database are still those that `head` was made of.

    Raises:
        VerificationError: they are not; the first changed entry is named where the tree's leaves tell.
    """
    frontier = Frontier()
    for _, lines in _pages(connection, 0, head.size):
        frontier.extend([leaf_hash(line) for line in lines])
    if frontier.peaks != head.peaks:
        raise _first_changed(connection, head.size) or _disagreement(head.size)


def _pages(connection: DriverConnection, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
    """The bytes of the entries from `start` on, below `end`, in pages."""
    for first in range(start, end, PAGE):
        wanted = min(PAGE, end - first)
        lines = [line for line, _ in in_order(rows_of(connection, PAIRS.format(first, wanted)), first)]
        if len(lines) != wanted:
            raise VerificationError(f"entry {first + len(lines)} is missing from the log")
        yield first, lines


def _disagreement(size: int) -> VerificationError:
    return VerificationError(
        f"the log's {size} entries do not agree with its last signed checkpoint",
        hint="find the entry with `minivess audit verify`; restore the database from a backup",
    )


def _first_changed(connection: DriverConnection, size: int) -> VerificationError | None:
    """An error that names the first entry whose bytes are not those of its stored leaf."""
    for start, lines in _pages(connection, 0, size):
        leaves = nodes_of(connection, ((0, index) for index in range(start, start + len(lines))))
        for index, line in enumerate(lines, start):
            if leaves.get((0, index)) != leaf_hash(line):
                return VerificationError(
                    f"entry {index} of the log was changed: it is not the one that its checkpoint covers",
                    hint="restore the database from a backup",
                )
    return None


def follow(standing: Standing, index: int, line: bytes) -> tuple[Standing, datetime]:
    """The state and the time after one more entry.

    Raises:
        VerificationError: the bytes are no entry of that index, or the entry may not be there.
    """
    entry = parse_entry(index, line)
    try:
        return admit(standing, entry.body), entry.body.time
    except VerificationError as error:
        where = "" if error.message.startswith(f"entry {index}") else f"entry {index} ({entry.body.action}): "
        raise VerificationError(where + error.message, hint=error.hint) from None


def rows_of(connection: DriverConnection, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """What the database answers, without the layers in which a small question spends most of its time.

    Args:
        connection: of a `Database`, which knows what its driver raises.
        question: SQL of our own making, with a `?` for each value.
        values: what stands in their places.
    """
    cursor = connection.cursor()
    try:
        if values:
            sqlite = isinstance(connection, sqlite3.Connection)
            cursor.execute(question if sqlite else question.replace("?", "%s"), values)
        else:
            cursor.execute(question)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def size_of(connection: DriverConnection) -> int:
    """Number of entries."""
    [(last,)] = rows_of(connection, _NEWEST_ENTRY)
    if last is not None and type(last) is not int:
        raise VerificationError("the log has a row whose index is no number")
    return 0 if last is None else last + 1


def content_of(connection: DriverConnection, index: int) -> bytes:
    """The canonical bytes of one entry.

    Raises:
        VerificationError: it is missing.
    """
    found = rows_of(connection, f'SELECT content FROM entry WHERE "index" = {index:d}')  # noqa: S608
    if not found:
        raise VerificationError(f"entry {index} is missing from the log")
    return plain_bytes(index, found[0][0])


def nodes_of(connection: DriverConnection, nodes: Iterable[Node]) -> dict[Node, bytes]:
    """The stored hashes of complete subtrees; those that are missing or malformed are left out."""
    places = {node_id(*node): node for node in nodes}
    if not places:
        return {}
    rows = rows_of(connection, f"SELECT id, hash FROM node WHERE id IN ({','.join(map(str, places))})")  # noqa: S608
    return {places[place]: bytes(value) for place, value in rows if isinstance(value, bytes | memoryview)}


def plain_bytes(index: int, value: object) -> bytes:
    """A column of bytes; SQLite lets somebody who writes past us put anything there."""
    if type(value) is bytes:
        return value
    if isinstance(value, memoryview):
        return bytes(value)
    raise VerificationError(f"entry {index} of the log is malformed")


def note_of(connection: DriverConnection, size: int) -> str:
    """The checkpoint of the first `size` entries.

    Raises:
        VerificationError: there is none.
    """
    found = rows_of(connection, f"SELECT note FROM checkpoint WHERE size = {size:d}")  # noqa: S608
    if not found:
        raise VerificationError(f"the log has no checkpoint of {size} entries")
    return str(found[0][0])


def in_order(rows: Iterable[tuple[Any, ...]], start: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Entry and details of rows (index, content, details) that must follow each other from index `start` on.

    Raises:
        VerificationError: an index is missing, or a row is malformed.
    """
    for expected, (index, content, details) in enumerate(rows, start):
        if index != expected:
            raise VerificationError(f"entry {expected} is missing from the log")
        if type(content) is bytes and (details is None or type(details) is bytes):  # all but what somebody meddled with
            yield content, details
        else:
            yield plain_bytes(index, content), None if details is None else plain_bytes(index, details)


def parse_entry(index: int, content: bytes) -> Entry:
    """The entry of that index from its bytes.

    Raises:
        VerificationError: the bytes are another entry, or none.
    """
    try:
        entry = Entry.model_validate_json(content)
    except ValidationError:
        raise VerificationError(f"entry {index} of the log is malformed") from None
    if entry.body.index != index:
        raise VerificationError(f"entry {index} of the log has the index {entry.body.index}")
    return entry
