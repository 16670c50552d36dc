"""Where a log stands, as its database says, checked against its last signed checkpoint; and how its rows are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Connection, bindparam, func, select
from sqlmodel import col

from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, Node, frontier_nodes, node_id
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.entry import Entry

_NEWEST_ENTRY = 'SELECT max("index") FROM entry'
_CONTENT = select(col(EntryRow.content)).where(col(EntryRow.index) == bindparam("place"))
_NOTE = select(col(CheckpointRow.note)).where(col(CheckpointRow.size) == bindparam("place"))
_NEWEST_CHECKPOINT = select(func.max(col(CheckpointRow.size)))


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
    newest = connection.scalar(_NEWEST_CHECKPOINT)
    if newest is None or int(newest) != size:
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


def size_of(connection: Connection) -> int:
    """Number of entries."""
    last = connection.exec_driver_sql(_NEWEST_ENTRY).scalar()
    return 0 if last is None else int(last) + 1


def content_of(connection: Connection, index: int) -> bytes:
    """The canonical bytes of one entry.

    Raises:
        VerificationError: it is missing.
    """
    content = connection.scalar(_CONTENT, {"place": index})
    if content is None:
        raise VerificationError(f"entry {index} is missing from the log")
    return plain_bytes(index, content)


def nodes_of(connection: Connection, nodes: Iterable[Node]) -> dict[Node, bytes]:
    """The stored hashes of complete subtrees; those that are missing or malformed are left out."""
    places = {node_id(*node): node for node in nodes}
    if not places:
        return {}
    wanted = ",".join(map(str, places))  # numbers of our own making: nothing to escape
    rows = connection.exec_driver_sql(f"SELECT id, hash FROM node WHERE id IN ({wanted})")  # noqa: S608
    return {places[place]: bytes(value) for place, value in rows if isinstance(value, bytes | memoryview)}


def plain_bytes(index: int, value: object) -> bytes:
    """A column of bytes; SQLite lets somebody who writes past us put anything there."""
    if not isinstance(value, bytes | memoryview):
        raise VerificationError(f"entry {index} of the log is malformed")
    return bytes(value)


def note_of(connection: Connection, size: int) -> str:
    """The checkpoint of the first `size` entries.

    Raises:
        VerificationError: there is none.
    """
    note = connection.scalar(_NOTE, {"place": size})
    if note is None:
        raise VerificationError(f"the log has no checkpoint of {size} entries")
    return str(note)


def in_order(rows: Iterable[tuple[int, object, object]], start: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Entry and details of rows (index, content, details) that must follow each other from index `start` on.

    Raises:
        VerificationError: an index is missing, or a row is malformed.
    """
    for expected, (index, content, details) in enumerate(rows, start):
        if index != expected:
            raise VerificationError(f"entry {expected} is missing from the log")
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
