"""Reading a log: entries, checkpoints and proofs, in memory that does not grow with the log."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlmodel import col

from minivess.compliance.audit.head import (
    content_of,
    in_order,
    nodes_of,
    note_of,
    parse_entry,
    plain_bytes,
    size_of,
)
from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow, OutboxRow
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import (
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
)
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.entry import Details, Entry
from minivess.records.receipt import Receipt

_PAGE = 2000


class LogReader:
    """What can be asked of a log. Every method raises `CouldNotCheckError` when its database is out of reach."""

    def __init__(self, database: Database, *, origin: str) -> None:
        self._database = database
        self._origin = origin

    @property
    def origin(self) -> str:
        """The log's name, as in its checkpoints and entries."""
        return self._origin

    @property
    def size(self) -> int:
        """Number of entries at this moment."""
        with self._database.reading() as connection:
            return size_of(connection)

    def entries(self, start: int = 0, *, actions: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries from index `start` on, in order, read in pages; with `actions`, those of these actions alone.

        Raises:
            VerificationError: the bytes of an entry are no entry, or one is missing.
        """
        if actions is None:
            for index, (line, _) in enumerate(self.pairs(start), start):
                yield parse_entry(index, line)
            return
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(
                    select(col(EntryRow.index), col(EntryRow.content))
                    .where(col(EntryRow.index) >= start, col(EntryRow.action).in_(actions))
                    .order_by(col(EntryRow.index))
                    .limit(_PAGE)
                ).all()
            for index, content in rows:
                yield parse_entry(index, plain_bytes(index, content))
                start = index + 1
            if len(rows) < _PAGE:
                return

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """The canonical bytes of the entries from index `start` on (each one a Merkle leaf), without newlines.

        Raises:
            VerificationError: an index is missing.
        """
        return (line for line, _ in self.pairs(start))

    def pairs(self, start: int = 0) -> Iterator[tuple[bytes, bytes | None]]:
        """What verification needs: each entry's canonical bytes, and those of its details (None: none, or erased).

        Raises:
            VerificationError: an index is missing.
        """
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(
                    select(col(EntryRow.index), col(EntryRow.content), col(EntryRow.details))
                    .where(col(EntryRow.index) >= start)
                    .order_by(col(EntryRow.index))
                    .limit(_PAGE)
                ).all()
            yield from in_order(((index, content, details) for index, content, details in rows), start)
            start += len(rows)
            if len(rows) < _PAGE:
                return

    def entry(self, index: int) -> Entry:
        """One entry.

        Raises:
            UsageError: there is none of that index.
        """
        with self._database.reading() as connection:
            if not 0 <= index < size_of(connection):
                raise UsageError(f"the log has no entry {index}")
            return parse_entry(index, content_of(connection, index))

    def details(self, index: int) -> Details | None:
        """The details of an entry; None when it has none or they were erased.

        Raises:
            VerificationError: they are malformed.
        """
        with self._database.reading() as connection:
            found = connection.scalar(select(col(EntryRow.details)).where(col(EntryRow.index) == index))
        try:
            return None if found is None else Details.model_validate_json(plain_bytes(index, found))
        except ValidationError:
            raise VerificationError(f"the details of entry {index} of the log are malformed") from None

    def checkpoint(self, size: int | None = None) -> str:
        """The signed checkpoint of the first `size` entries (by default the newest), a C2SP signed note.

        Raises:
            VerificationError: the log was never signed at that size.
        """
        with self._database.reading() as connection:
            return note_of(connection, size_of(connection) if size is None else size)

    @implements("REQ-002", "REQ-050")
    def prove(self, index: int, size: int | None = None) -> Receipt:
        """An entry with its inclusion proof in the log of `size` entries (by default all of them); O(log n) rows.

        Raises:
            UsageError: there is no such entry, or the log never stood at that size.
            VerificationError: the entry's bytes do not fit the tree.
        """
        with self._database.reading() as connection:
            newest = size_of(connection)
            within = newest if size is None else size
            if not 0 <= index < within <= newest:
                raise UsageError(f"the log has no entry {index} among its first {within}")
            row = connection.execute(
                select(col(EntryRow.content), col(EntryRow.details)).where(col(EntryRow.index) == index)
            ).one_or_none()
            nodes = nodes_of(connection, {(0, index), *inclusion_nodes(index, within)})
            note = note_of(connection, within)
        content = None if row is None else plain_bytes(index, row[0])
        if content is None or nodes.get((0, index)) != leaf_hash(content):
            raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
        return Receipt(
            index=index,
            entry=content.decode("utf-8"),
            proof=tuple(to_base64(node) for node in _whole(inclusion_proof, nodes, index, within)),
            checkpoint=note,
            details=None if row is None or row[1] is None else plain_bytes(index, row[1]).decode("utf-8"),
        )

    @implements("REQ-002", "REQ-050")
    def consistency(self, old_size: int, new_size: int | None = None) -> tuple[bytes, ...]:
        """The RFC 6962 proof that the log of `new_size` entries (by default all) continues that of `old_size`.

        Raises:
            UsageError: the log never stood at one of these sizes.
        """
        with self._database.reading() as connection:
            newest = size_of(connection)
            later = newest if new_size is None else new_size
            if not 0 <= old_size <= later <= newest:
                raise UsageError(f"the log of {newest} entries has no stretch from {old_size} to {later}")
            nodes = nodes_of(connection, consistency_nodes(old_size, later))
        return _whole(consistency_proof, nodes, old_size, later)

    def pending_events(self, limit: int = 1000) -> list[tuple[int, dict[str, Any]]]:
        """The oldest OpenLineage events not delivered yet, in order, as (outbox id, event)."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(col(OutboxRow.id), col(OutboxRow.event))
                .where(col(OutboxRow.delivered_at).is_(None))
                .order_by(col(OutboxRow.id))
                .limit(limit)
            ).all()
        return [(int(identifier), json.loads(event)) for identifier, event in rows if identifier is not None]

    def timestamp(self, size: int) -> bytes | None:
        """The RFC 3161 response kept for the checkpoint of that size."""
        with self._database.reading() as connection:
            found = connection.scalar(select(col(CheckpointRow.timestamp)).where(col(CheckpointRow.size) == size))
        return None if found is None else plain_bytes(size, found)

    def close(self) -> None:
        """Let go of the database. A closed log can still be used; it connects again."""
        self._database.close()


def _whole(prove: Any, nodes: dict[Any, bytes], first: int, second: int) -> tuple[bytes, ...]:
    try:
        proof: tuple[bytes, ...] = prove(nodes, first, second)
    except KeyError as missing:
        raise VerificationError(
            f"a node of the log's tree is missing: {missing}", hint="`minivess audit rebuild` derives the tree again"
        ) from None
    return proof
