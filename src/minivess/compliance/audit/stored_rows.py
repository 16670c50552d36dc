"""How the rows of a log's database are read: entries, details, nodes and checkpoints as they are stored, not yet judged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from minivess.compliance.audit.store.sqlite_readers import DriverConnection
from minivess.compliance.proofs.merkle import Node, node_id
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Entry

PAGE = 2000
PAIRS = 'SELECT "index", content, details FROM entry WHERE "index" >= {:d} ORDER BY "index" LIMIT {:d}'
_NEWEST_ENTRY = 'SELECT max("index") FROM entry'


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
