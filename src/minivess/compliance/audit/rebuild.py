"""Deriving again what the tables repeat: the columns beside each entry's bytes, and the nodes of the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlmodel import col

from minivess.compliance.audit.head import note_of, parse_entry, plain_bytes
from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.store.tables import EntryRow, NodeRow
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, leaf_hash, node_id, nodes_in
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.entry import Entry

_PAGE = 2000
_TOLD = 100
"""Differences that are told one by one; further ones are counted."""
_COLUMNS = ("action", "outcome", "actor", "time", "started")


@dataclass
class Rebuilt:
    """What a rebuild found and mended."""

    entries: int = 0
    nodes: int = 0
    differences: list[str] = field(default_factory=list)
    """In words, the first hundred."""
    count: int = 0

    def note(self, words: str) -> None:
        """One more difference."""
        self.count += 1
        if len(self.differences) < _TOLD:
            self.differences.append(words)


@implements("REQ-064")
def rebuild(database: Database, origin: str, progress: Callable[[int], None] = lambda _: None) -> Rebuilt:
    """Derive every repeated value from the entries' bytes again, mend those that differ, and say which did.

    Args:
        database: the log's.
        origin: the log's name.
        progress: hears how many entries were read.

    Raises:
        VerificationError: the entries themselves are not what the newest checkpoint signs; nothing is changed.
        CannotWriteError: the database cannot be written.
    """
    found = Rebuilt()
    with database.writing() as connection:
        frontier, register = Frontier(), Register()
        for entry, content, row in _rows(connection):
            _mend_columns(connection, entry, row, found)
            if entry.body.action in REGISTER_ACTIONS:
                register = register.extend(entry)
            _mend_nodes(connection, frontier.append(leaf_hash(content)), found)
            found.entries += 1
            if not found.entries % _PAGE:
                progress(found.entries)
        found.nodes = nodes_in(frontier.size)
        surplus = connection.scalar(select(func.count()).where(col(NodeRow.id) >= found.nodes))
        if surplus:
            found.note(f"{surplus} nodes of the tree belong to no entry")
            connection.execute(delete(NodeRow).where(col(NodeRow.id) >= found.nodes))
        note = parse_note(note_of(connection, frontier.size)).verify(origin, register.log_key)
        if note != Checkpoint(origin, frontier.size, frontier.root()):
            raise VerificationError(
                "the entries are not those that the newest checkpoint signs, so nothing can be derived from them",
                hint="find the entry with `minivess audit verify`; restore the database from a backup",
            )
    return found


def _rows(connection: Connection) -> Iterator[tuple[Entry, bytes, dict[str, Any]]]:
    names = [col(getattr(EntryRow, name)) for name in _COLUMNS]
    start = 0
    while True:
        rows = connection.execute(
            select(col(EntryRow.index), col(EntryRow.content), *names)
            .where(col(EntryRow.index) >= start)
            .order_by(col(EntryRow.index))
            .limit(_PAGE)
        ).all()
        for index, content, *values in rows:
            if index != start:
                raise VerificationError(f"entry {start} is missing from the log")
            line = plain_bytes(index, content)
            yield parse_entry(index, line), line, dict(zip(_COLUMNS, values, strict=True))
            start += 1
        if len(rows) < _PAGE:
            return


def _mend_columns(connection: Connection, entry: Entry, row: dict[str, Any], found: Rebuilt) -> None:
    body = entry.body
    derived = {
        "action": body.action,
        "outcome": body.outcome.value,
        "actor": body.actor,
        "time": timestamp(body.time),
        "started": body.started,
    }
    if row == derived:
        return
    for name in _COLUMNS:
        if row[name] != derived[name]:
            found.note(f"entry {body.index}: the column {name} says {row[name]}, the entry says {derived[name]}")
    connection.execute(update(EntryRow).where(col(EntryRow.index) == body.index).values(**derived))


def _mend_nodes(connection: Connection, made: list[tuple[tuple[int, int], bytes]], found: Rebuilt) -> None:
    ids = {node_id(*node): value for node, value in made}
    held = dict(
        connection.execute(select(col(NodeRow.id), col(NodeRow.hash)).where(col(NodeRow.id).in_(list(ids)))).all()
    )
    for place, value in ids.items():
        if held.get(place) == value:
            continue
        found.note(f"node {place} of the tree is {'missing' if place not in held else 'another'}")
        connection.execute(delete(NodeRow).where(col(NodeRow.id) == place))
        connection.execute(insert(NodeRow).values(id=place, hash=value))
