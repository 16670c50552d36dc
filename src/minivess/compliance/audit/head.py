"""Where a log stands, as its database says, checked against its last signed checkpoint; and how its rows are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlmodel import col

from minivess.compliance.audit.store.tables import EntryRow
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, Node, frontier_nodes, node_id
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.entry import Entry

_NEWEST_ENTRY = 'SELECT max("index") FROM entry'
_NEWEST_CHECKPOINT = "SELECT max(size) FROM checkpoint"


@dataclass(frozen=True)
class Head:
    """Where the log stands: the tree's frontier, the time of its last entry, and who may act."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    time: datetime | None = None
    register: Register = field(default_factory=Register)


def catch_up(connection: Connection, head: Head, *, origin: str) -> Head:
    """The head as the database has it, with what others added since `head`; compared with its checkpoint.

    Reads O(log n) rows, and the entries about identities that are new.

    Args:
        connection: holds the write lock, or sees one state of the database.
        head: where we thought the log stood.
        origin: the log's name.

    Raises:
        VerificationError: the tree does not agree with the last checkpoint, or does not continue `head`.
    """
    size = size_of(connection)
    if size == head.size:
        return head
    if size < head.size:
        raise VerificationError(f"the log has shrunk from {head.size} to {size} entries")
    # Never sign on top of a head that the log's own key has not signed.
    disagreement = VerificationError(
        f"the log's {size} entries do not agree with its last signed checkpoint",
        hint="find the entry with `minivess audit verify`; restore the database from a backup",
    )
    if rows_of(connection, _NEWEST_CHECKPOINT) != [(size,)]:
        raise disagreement
    nodes = nodes_of(connection, {*frontier_nodes(size), *frontier_nodes(head.size)})
    if tuple(nodes.get(node) for node in frontier_nodes(head.size)) != head.peaks:
        raise VerificationError(f"the log's first {head.size} entries are other entries than before")
    peaks = tuple(nodes[node] for node in frontier_nodes(size) if node in nodes)
    register = _later(connection, head)
    try:
        signed = parse_note(note_of(connection, size)).verify(origin, register.log_key)
    except (InputError, VerificationError):
        raise disagreement from None
    if len(peaks) != size.bit_count() or signed != Checkpoint(origin, size, Frontier(size, peaks).root()):
        raise disagreement
    last = parse_entry(size - 1, content_of(connection, size - 1))
    return Head(size, peaks, last.body.time, register if register.size == size else register.advance(size - 1))


def _later(connection: Connection, head: Head) -> Register:
    register = head.register
    rows = connection.execute(
        select(col(EntryRow.index), col(EntryRow.content))
        .where(col(EntryRow.index) >= head.size, col(EntryRow.action).in_(REGISTER_ACTIONS))
        .order_by(col(EntryRow.index))
    )
    for index, content in rows:
        register = register.extend(parse_entry(index, plain_bytes(index, content)))
    return register


def rows_of(connection: Connection, question: str) -> list[tuple[Any, ...]]:
    """What the database answers, past the layers that a small question spends most of its time in.

    Args:
        connection: of a `Database`, which knows what its driver raises.
        question: SQL in which nothing but numbers of our own making was put.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(question)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def size_of(connection: Connection) -> int:
    """Number of entries."""
    [(last,)] = rows_of(connection, _NEWEST_ENTRY)
    return 0 if last is None else int(last) + 1


def content_of(connection: Connection, index: int) -> bytes:
    """The canonical bytes of one entry.

    Raises:
        VerificationError: it is missing.
    """
    found = rows_of(connection, f'SELECT content FROM entry WHERE "index" = {index:d}')  # noqa: S608
    if not found:
        raise VerificationError(f"entry {index} is missing from the log")
    return plain_bytes(index, found[0][0])


def nodes_of(connection: Connection, nodes: Iterable[Node]) -> dict[Node, bytes]:
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


def note_of(connection: Connection, size: int) -> str:
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
        raise VerificationError(f"entry {index} of the log calls itself {entry.body.index}")
    return entry
