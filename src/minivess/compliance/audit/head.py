"""Where a log stands, as its database says, checked against its last signed checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from minivess.compliance.audit.store.sqlite_readers import DriverConnection
from minivess.compliance.audit.stored_rows import (
    PAGE,
    PAIRS,
    in_order,
    nodes_of,
    note_of,
    parse_entry,
    rows_of,
    size_of,
)
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.compliance.rules.admission import admit
from minivess.compliance.rules.standing import Standing
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements

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
