"""The caches of a log: what they must hold is derived from the entries' bytes, compared, and made again.

Caches are the columns beside each entry's bytes, the nodes of the tree, and the outbox with its OpenLineage events. Checkpoints
are checked too. Only the log's key can sign one, so a wrong checkpoint is reported and left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlmodel import col

from minivess.compliance.audit.store.database import Database, driver_of
from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow, NodeRow, OutboxRow
from minivess.compliance.audit.stored_rows import note_of, parse_entry, plain_bytes
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, leaf_hash, node_id, nodes_in
from minivess.compliance.proofs.timestamp import imprint_of, stamped_imprint
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import MinivessError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Details, Entry, EntryBody

_PAGE = 2000
_NAMED = 100
"""Differences that are named one by one; further ones are counted."""
_COLUMNS = ("action", "outcome", "actor", "time", "started")
_STRAY_NODES = "FROM node WHERE id < 0 OR id >= {0:d} OR id <> CAST(id AS BIGINT)"

EventOf = Callable[[EntryBody, Details | None], dict[str, Any] | None]
"""Derives the OpenLineage event of an entry from it and its details; None when it has none."""


_Outgoing = tuple[int | None, object, object]
"""A row of the outbox: its id, its event and when it was delivered."""


@dataclass
class Rebuilt:
    """The differences between the caches and the entries."""

    entries: int = 0
    nodes: int = 0
    differences: list[str] = field(default_factory=list)
    """In words, the first hundred that can be derived again."""
    left: list[str] = field(default_factory=list)
    """In words, the first hundred that cannot: checkpoints."""
    count: int = 0
    """All of them."""

    def note(self, words: str, *, mendable: bool = True) -> None:
        """One more difference."""
        self.count += 1
        named = self.differences if mendable else self.left
        if len(named) < _NAMED:
            named.append(words)


@implements("REQ-064", "REQ-141")
def rebuild(
    database: Database, origin: str, progress: Callable[[int], None] = lambda _: None, *, events: EventOf | None = None
) -> Rebuilt:
    """Derive every cached value from the entries' bytes again, correct those that differ, and name them.

    An event that was missing or changed is delivered again.

    Args:
        database: the log's.
        origin: the log's name.
        progress: hears how many entries were read.
        events: derives the event of an entry. None: the outbox is left alone.

    Raises:
        VerificationError: the entries themselves are not what the newest checkpoint signs; nothing is changed.
        CannotWriteError: the database cannot be written.
    """
    with database.writing() as connection:
        return _Caches(connection, origin, events, mend=True).walk(progress)


@implements("REQ-141")
def compare(
    database: Database, origin: str, progress: Callable[[int], None] = lambda _: None, *, events: EventOf | None = None
) -> Rebuilt:
    """Compare every cached value with the entries' bytes, and name those that differ.

    Args:
        database: the log's.
        origin: the log's name.
        progress: hears how many entries were read.
        events: as for `rebuild`.

    Raises:
        VerificationError: the entries themselves are not what the newest checkpoint signs.
    """
    with database.reading() as connection:
        return _Caches(connection, origin, events, mend=False).walk(progress)


class _Row:
    """One entry with the columns beside it."""

    def __init__(self, index: int, content: object, details: object, values: tuple[Any, ...]) -> None:
        self.content = plain_bytes(index, content)
        self.entry: Entry = parse_entry(index, self.content)
        self.details_bytes = None if details is None else plain_bytes(index, details)
        self.columns = dict(zip(_COLUMNS, values, strict=True))

    @property
    def details(self) -> Details | None:
        """What the entry says beside its body."""
        try:
            return None if self.details_bytes is None else Details.model_validate_json(self.details_bytes)
        except ValidationError:
            index = self.entry.body.index
            raise VerificationError(f"the details of entry {index} of the log are malformed") from None


class _Caches:
    """One walk over a log and its caches, in one transaction."""

    def __init__(self, connection: Connection, origin: str, events: EventOf | None, *, mend: bool) -> None:
        self._connection = connection
        self._origin = origin
        self._events = events
        self._mend = mend
        self._found = Rebuilt()
        self._frontier, self._register = Frontier(), Register()
        self._dated = False
        """Whether events carry the time of their entry, as they do under an action table that the log names."""

    def walk(self, progress: Callable[[int], None]) -> Rebuilt:
        """Go through all entries."""
        found, frontier = self._found, self._frontier
        if self._connection.scalar(select(func.count()).where(col(EntryRow.index) < 0)):
            raise VerificationError("the log has a row with an index below 0, which is no entry")
        for page in self._pages():
            made: dict[int, bytes] = {}
            notes = self._notes(found.entries, found.entries + len(page))
            for row in page:
                self._check_columns(row)
                body = row.entry.body
                if body.action in REGISTER_ACTIONS:
                    self._register = self._register.extend(row.entry)
                made |= {node_id(*node): value for node, value in frontier.append(leaf_hash(row.content))}
                found.entries += 1
                if frontier.size in notes:
                    self._check_checkpoint(*notes[frontier.size])
            self._check_nodes(made)
            self._check_outbox(page)
            progress(found.entries)
        found.nodes = nodes_in(frontier.size)
        stray = self._connection.scalar(text(f"SELECT count(*) {_STRAY_NODES.format(found.nodes)}"))
        if stray:
            found.note(f"{stray} nodes of the tree belong to no entry")
            self._change(text(f"DELETE {_STRAY_NODES.format(found.nodes)}"))
        self._check_strays()
        self._check_head()
        return found

    def _change(self, statement: Any) -> None:
        if self._mend:
            self._connection.execute(statement)

    def _pages(self) -> Iterator[list[_Row]]:
        names = [col(getattr(EntryRow, name)) for name in _COLUMNS]
        start = 0
        while True:
            rows = self._connection.execute(
                select(col(EntryRow.index), col(EntryRow.content), col(EntryRow.details), *names)
                .where(col(EntryRow.index) >= start)
                .order_by(col(EntryRow.index))
                .limit(_PAGE)
            ).all()
            page = []
            for place, (index, content, details, *values) in enumerate(rows, start):
                if index != place:
                    raise VerificationError(f"entry {place} is missing from the log")
                page.append(_Row(index, content, details, tuple(values)))
            start += len(page)
            yield page
            if len(rows) < _PAGE:
                return

    def _check_columns(self, row: _Row) -> None:
        body = row.entry.body
        derived = {
            "action": body.action,
            "outcome": body.outcome.value,
            "actor": body.actor,
            "time": timestamp(body.time),
            "started": body.started,
        }
        if row.columns == derived:
            return
        for name in _COLUMNS:
            if row.columns[name] != derived[name]:
                self._found.note(
                    f"entry {body.index}: the column {name} says {row.columns[name]}, the entry says {derived[name]}"
                )
        self._change(update(EntryRow).where(col(EntryRow.index) == body.index).values(**derived))

    def _check_nodes(self, made: dict[int, bytes]) -> None:
        held = dict(
            self._connection.execute(
                select(col(NodeRow.id), col(NodeRow.hash)).where(col(NodeRow.id).in_(list(made)))
            ).all()
        )
        for place, value in made.items():
            if held.get(place) == value:
                continue
            self._found.note(f"node {place} of the tree is {'missing' if place not in held else 'another'}")
            self._change(delete(NodeRow).where(col(NodeRow.id) == place))
            self._change(insert(NodeRow).values(id=place, hash=value))

    def _notes(self, above: int, up_to: int) -> dict[int, tuple[Any, ...]]:
        rows = self._connection.execute(
            select(col(CheckpointRow.size), col(CheckpointRow.note), col(CheckpointRow.timestamp)).where(
                col(CheckpointRow.size) > above, col(CheckpointRow.size) <= up_to
            )
        )
        return {size: (size, note, stamped) for size, note, stamped in rows}

    def _check_checkpoint(self, size: int, note: object, stamped: object) -> None:
        """The checkpoint of the entries read so far; the newest one is `_check_head`'s."""
        try:
            signed = parse_note(str(note)).verify(self._origin, self._register.log_key_at(size))
            if signed != Checkpoint(self._origin, size, self._frontier.root()):
                raise VerificationError("it is not of these entries")
            if stamped is not None and stamped_imprint(plain_bytes(size, stamped)) != imprint_of(str(note)):
                raise VerificationError("its timestamp is of another checkpoint")
        except UsageError:
            return  # the library that reads timestamps is not installed
        except MinivessError as error:
            self._found.note(f"the checkpoint of {size} entries is wrong: {error.message}", mendable=False)

    def _check_outbox(self, page: list[_Row]) -> None:
        if self._events is None or not page:
            return
        first, last = page[0].entry.body.index, page[-1].entry.body.index
        held: dict[int, list[_Outgoing]] = {}
        rows = self._connection.execute(
            select(col(OutboxRow.id), col(OutboxRow.entry), col(OutboxRow.event), col(OutboxRow.delivered_at))
            .where(col(OutboxRow.entry) >= first, col(OutboxRow.entry) <= last)
            .order_by(col(OutboxRow.id))
        )
        for identifier, entry, event, delivered in rows:
            held.setdefault(entry, []).append((identifier, event, delivered))
        for row in page:
            body = row.entry.body
            self._dated = self._dated or body.action == "rules.adopted" or body.payload.get("rules") is not None
            self._check_events(body, self._events(body, row.details), held.pop(body.index, []))
        for others in held.values():
            self._remove(others, "an event of the outbox belongs to no entry")

    def _check_events(self, body: EntryBody, event: dict[str, Any] | None, rows: list[_Outgoing]) -> None:
        where = f"entry {body.index}: "
        if event is None:
            self._remove(rows, where + "the outbox has an event, and the entry gives none")
            return
        self._remove(rows[1:], where + "the outbox has a second event")
        if not rows:
            self._found.note(where + "its event is missing from the outbox")
            self._change(insert(OutboxRow).values(entry=body.index, event=_line(event)))
            return
        identifier, held, delivered = rows[0]
        if not _same(held, event, None if self._dated else body.time):
            self._found.note(where + "its event in the outbox is another than the entry gives")
            self._change(
                update(OutboxRow).where(col(OutboxRow.id) == identifier).values(event=_line(event), delivered_at=None)
            )
        elif delivered is not None and not _is_moment(delivered):
            self._found.note(where + "its event was delivered at a time that is none")
            self._change(update(OutboxRow).where(col(OutboxRow.id) == identifier).values(delivered_at=None))

    def _remove(self, rows: list[_Outgoing], words: str) -> None:
        for identifier, *_ in rows:
            self._found.note(words)
            self._change(delete(OutboxRow).where(col(OutboxRow.id) == identifier))

    def _check_strays(self) -> None:
        """Rows that name an index or a size that the log does not have."""
        size, found = self._frontier.size, self._found
        beyond = (col(OutboxRow.entry) < 0) | (col(OutboxRow.entry) >= size)
        stray = (
            0 if self._events is None else self._connection.scalar(select(func.count(col(OutboxRow.id))).where(beyond))
        )
        if stray:
            found.note(f"{stray} events of the outbox belong to no entry")
            self._change(delete(OutboxRow).where(beyond))
        sizes = select(col(CheckpointRow.size)).where((col(CheckpointRow.size) < 1) | (col(CheckpointRow.size) > size))
        for (other,) in self._connection.execute(sizes.limit(_NAMED)):
            found.note(f"there is a checkpoint of {other} entries, and the log has {size}", mendable=False)

    def _check_head(self) -> None:
        size = self._frontier.size
        note = parse_note(note_of(driver_of(self._connection), size)).verify(self._origin, self._register.log_key)
        if note != Checkpoint(self._origin, size, self._frontier.root()):
            raise VerificationError(
                "the entries are not those that the newest checkpoint signs, so nothing can be derived from them",
                hint="find the entry with `minivess audit verify`; restore the database from a backup",
            )


def _line(event: dict[str, Any]) -> str:
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _same(held: object, event: dict[str, Any], time: datetime | None) -> bool:
    """Whether an event of the outbox is the derived one.

    Args:
        held: the text of the event.
        event: what was derived.
        time: of the entry, where version 0.1.0 wrote it: it dated events a little earlier, when the entry was drafted.
    """
    try:
        found = json.loads(str(held))
        if found == event or time is None:
            return bool(found == event)
        drafted = datetime.fromisoformat(found["eventTime"])
        return bool(drafted <= time and found | {"eventTime": event["eventTime"]} == event)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _is_moment(value: object) -> bool:
    try:
        return timestamp(datetime.fromisoformat(str(value))) == value
    except ValueError:
        return False
