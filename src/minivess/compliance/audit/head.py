"""Where a log stands, as its database says, checked against its last signed checkpoint; and how its rows are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Connection, func, select
from sqlmodel import col

from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.entry import Entry

_REGISTER_ACTIONS = ("log.created", "identity.enrolled", "identity.revoked")


@dataclass(frozen=True)
class Head:
    """Where the log stands: the tree's frontier, the time of its last entry, and who may act."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    time: datetime | None = None
    register: Register = field(default_factory=Register)


def catch_up(connection: Connection, head: Head, *, origin: str) -> Head:
    """The head as the database has it, from `head` on by the leaves others added; compared with its checkpoint.

    Args:
        connection: holds the write lock, or sees one state of the database.
        head: where we thought the log stood.
        origin: the log's name.

    Raises:
        VerificationError: the entries do not agree with the last checkpoint, or there are fewer than before.
    """
    size = size_of(connection)
    if size == head.size:
        return head
    if size < head.size:
        raise VerificationError(f"the log has shrunk from {head.size} to {size} entries")
    frontier = Frontier(head.size, head.peaks)
    leaves = select(col(EntryRow.leaf)).where(col(EntryRow.index) >= head.size).order_by(col(EntryRow.index))
    for leaf in connection.scalars(leaves, execution_options={"yield_per": 10_000}):
        frontier.append(plain_bytes(frontier.size, leaf))
    newest = connection.scalar(select(func.max(col(CheckpointRow.size))))
    note = note_of(connection, size if newest is None else int(newest))
    register = head.register
    for index, content in connection.execute(
        select(col(EntryRow.index), col(EntryRow.content))
        .where(col(EntryRow.index) >= head.size, col(EntryRow.action).in_(_REGISTER_ACTIONS))
        .order_by(col(EntryRow.index))
    ):
        register = register.extend(parse_entry(index, plain_bytes(index, content)))
    # Never sign on top of a head that the log's own key has not signed.
    disagreement = VerificationError(
        f"the log's {size} entries do not agree with its last signed checkpoint",
        hint="find the entry with `minivess audit verify`; restore the database from a backup",
    )
    try:
        signed = parse_note(note).verify(origin, register.log_key)
    except (InputError, VerificationError):
        raise disagreement from None
    if frontier.size != size or signed != Checkpoint(origin, size, frontier.root()):
        raise disagreement
    last = parse_entry(size - 1, content_of(connection, size - 1))
    return Head(size, frontier.peaks, last.body.time, register)


def size_of(connection: Connection) -> int:
    """Number of entries."""
    last = connection.scalar(select(func.max(col(EntryRow.index))))
    return 0 if last is None else int(last) + 1


def content_of(connection: Connection, index: int) -> bytes:
    """The canonical bytes of one entry.

    Raises:
        VerificationError: it is missing.
    """
    content = connection.scalar(select(col(EntryRow.content)).where(col(EntryRow.index) == index))
    if content is None:
        raise VerificationError(f"entry {index} is missing from the log")
    return plain_bytes(index, content)


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
    note = connection.scalar(select(col(CheckpointRow.note)).where(col(CheckpointRow.size) == size))
    if note is None:
        raise VerificationError(f"the log has no checkpoint of {size} entries")
    return str(note)


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
