"""Reading a log: entries, checkpoints and proofs, in memory that does not grow with the log."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from minivess.compliance.audit.opening import WAIT_SECONDS, existing_database, origin_in, outdated
from minivess.compliance.audit.search import Wanted, joined, touches
from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.stored_rows import (
    PAGE,
    PAIRS,
    content_of,
    in_order,
    nodes_of,
    note_of,
    parse_entry,
    plain_bytes,
    rows_of,
    size_of,
)
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import (
    Frontier,
    consistency_nodes,
    consistency_proof,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    verify_inclusion,
)
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Details, Entry
from minivess.records.log.receipt import Receipt
from minivess.records.people.identity import PublicKey

if TYPE_CHECKING:  # a page of the log is read without the rules that judge its entries
    from minivess.compliance.audit.head import Head
    from minivess.compliance.audit.rebuild import EventOf, Rebuilt
    from minivess.compliance.identity.register import Register
    from minivess.compliance.rules.log_facts import LogFacts
    from minivess.compliance.rules.standing import Standing

_PAGE_BACK = f'SELECT "index", content, details FROM entry{{}} ORDER BY "index" DESC LIMIT {PAGE:d}'  # noqa: S608
_NOTES = f"SELECT size, note FROM checkpoint{{}} ORDER BY size DESC LIMIT {PAGE:d}"  # noqa: S608
_WAITING = "SELECT id, event FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT ?"
_BEGINNING = b'{"body":{"action":"'
"""Of every entry in canonical form: its first key is the action."""


_READERS: weakref.WeakSet[LogReader] = weakref.WeakSet()


class LogReader:
    """What can be asked of a log. Every method raises `CouldNotCheckError` when its database is out of reach."""

    def __init__(self, database: Database, *, origin: str) -> None:
        self._database = database
        self._origin = origin
        self._followed_to: Head | None = None
        self._reset()
        _READERS.add(self)

    def _reset(self) -> None:
        """Nobody has the turn, as after a fork."""
        self._turn = threading.Lock()

    @property
    def _head(self) -> Head:
        """How far the log was followed."""
        if self._followed_to is None:
            from minivess.compliance.audit.head import Head

            self._followed_to = Head()
        return self._followed_to

    @_head.setter
    def _head(self, head: Head) -> None:
        self._followed_to = head

    @classmethod
    @implements("REQ-209")
    def reading(cls, database_url: str, *, wait: float = WAIT_SECONDS) -> LogReader:
        """Open a log that exists, for reading alone. It is compared with its checkpoint when its entries are read.

        Args:
            database_url: SQLAlchemy URL.
            wait: seconds to wait for a writer.

        Raises:
            InputError: there is no log, or a newer version wrote it.
            VerificationError: its first entry does not say what the log is for.
            CouldNotCheckError: the database is out of reach, or of another version.
        """
        database = existing_database(database_url, wait=wait)
        try:
            outdated(database, writable=False)
            return LogReader(database, origin=origin_in(database))
        except BaseException:
            database.close()
            raise

    @property
    def key(self) -> PublicKey:
        """The key that signs this log's checkpoints."""
        return self.standing.register.log_key

    @property
    def standing(self) -> Standing:
        """The state of the log now, followed from its entries' bytes to its newest signed checkpoint.

        Raises:
            VerificationError: as `open` for writing.
        """
        from minivess.compliance.audit.head import catch_up

        with self._turn, self._database.asking() as connection:
            self._head = catch_up(connection, self._head, origin=self._origin)
            return replace(self._head.standing, register=self._head.register)

    @property
    def origin(self) -> str:
        """The log's name, as in its checkpoints and entries."""
        return self._origin

    @property
    def size(self) -> int:
        """Number of entries at this moment."""
        with self._database.asking() as connection:
            return size_of(connection)

    @implements("REQ-132", "RC-42")
    def entries(self, start: int = 0, *, actions: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries from index `start` on, in order, with `actions` those of these actions alone.

        What they are is read from their bytes, and the bytes of all entries are compared with the newest signed checkpoint:
        whoever reads to the end has read what the log's key signed.

        Raises:
            VerificationError: the bytes of an entry are no entry, one is missing or changed; at the latest at the end.
        """
        from minivess.compliance.identity.register import REGISTER_ACTIONS, Register

        frontier, register = Frontier(), Register()
        with self._database.asking() as connection:
            size = size_of(connection)
            note = note_of(connection, size) if size else ""
        leaves: list[bytes] = []
        for index, (line, _) in enumerate(islice(self.pairs(), size)):
            leaves.append(leaf_hash(line))
            action = _action_of(index, line)
            wanted = index >= start and (actions is None or action in actions)
            if wanted or action in REGISTER_ACTIONS:
                entry = parse_entry(index, line)
                if action in REGISTER_ACTIONS:
                    register = register.extend(entry)
                if wanted:
                    yield entry
            if len(leaves) == PAGE:
                frontier.extend(leaves)
                leaves = []
        frontier.extend(leaves)
        if size:
            self._covered(note, register, Checkpoint(self._origin, size, frontier.root()))

    @implements("REQ-132", "RC-42")
    def facts(self, before: LogFacts | None = None) -> LogFacts:
        """The whole log in memory, read once and compared with its newest signed checkpoint.

        Args:
            before: what was read of this log earlier; then only the entries after it are read.

        Raises:
            VerificationError: as `entries`.
        """
        from minivess.compliance.identity.register import Register
        from minivess.compliance.rules.log_facts import LogFacts

        with self._database.asking() as connection:
            size = size_of(connection)
            note = note_of(connection, size)
        held = () if before is None else tuple(before.pairs)
        pairs = (*held, *islice(self.pairs(len(held)), max(0, size - len(held))))[:size]
        entries = () if before is None else before.entries
        entries = (
            *entries,
            *(parse_entry(index, line) for index, (line, _) in enumerate(pairs[len(entries) :], len(entries))),
        )
        register, frontier = Register.fold(entries), Frontier()
        frontier.extend([leaf_hash(line) for line, _ in pairs])
        head = Checkpoint(self._origin, size, frontier.root())
        self._covered(note, register, head)
        lines, details = zip(*pairs, strict=True)
        return LogFacts(lines, details, note, head, entries, register)

    def _covered(self, note: str, register: Register, head: Checkpoint) -> None:
        """Raise `VerificationError` unless a note, signed by the log's key, is for this head."""
        if parse_note(note).verify(self._origin, register.log_key) != head:
            raise VerificationError(
                f"the log's {head.size} entries are not those that its checkpoint covers",
                hint="find the entry with `minivess audit verify`; restore the database from a backup",
            )

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
            with self._database.asking() as connection:
                rows = rows_of(connection, PAIRS.format(start, PAGE))
            yield from in_order(rows, start)
            start += len(rows)
            if len(rows) < PAGE:
                return

    @implements("REQ-066")
    def find(self, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> list[tuple[Entry, Details | None]]:
        """The newest entries that meet a wish, oldest of them first.

        Args:
            wanted: what they have in common.
            before: only entries below this index: the page before.
            limit: at most so many.
        """
        conditions = wanted.conditions()
        found: list[tuple[Entry, Details | None]] = []
        with self._database.asking() as connection:
            while len(found) < limit:
                page = conditions if before is None else [*conditions, ('"index" < ?', (before,))]
                where, values = joined(page)
                rows = rows_of(connection, _PAGE_BACK.format(where), values)
                for index, content, details in rows:
                    entry = parse_entry(index, plain_bytes(index, content))
                    if wanted.resource is None or touches(entry, wanted.resource):
                        found.append((entry, _details(index, details)))
                    if len(found) == limit:
                        break
                if len(rows) < PAGE:
                    break
                before = rows[-1][0]
        return found[::-1]

    def entry(self, index: int) -> Entry:
        """One entry.

        Raises:
            UsageError: there is none of that index.
        """
        with self._database.asking() as connection:
            if not 0 <= index < size_of(connection):
                raise UsageError(f"the log has no entry {index}")
            return parse_entry(index, content_of(connection, index))

    def details(self, index: int) -> Details | None:
        """The details of an entry; None when it has none or they were erased.

        Raises:
            VerificationError: they are malformed.
        """
        with self._database.asking() as connection:
            found = rows_of(connection, 'SELECT details FROM entry WHERE "index" = ?', [index])
        return _details(index, found[0][0]) if found else None

    def checkpoint(self, size: int | None = None) -> str:
        """The signed checkpoint of the first `size` entries (by default the newest), a C2SP signed note.

        Raises:
            VerificationError: the log was never signed at that size.
        """
        with self._database.asking() as connection:
            return note_of(connection, size_of(connection) if size is None else size)

    def notes(self) -> Iterator[tuple[int, str]]:
        """Every signed checkpoint with its size, newest first."""
        before: int | None = None
        while True:
            where, values = joined([] if before is None else [("size < ?", (before,))])
            with self._database.asking() as connection:
                rows = rows_of(connection, _NOTES.format(where), values)
            for size, note in rows:
                before = int(size)
                yield before, str(note)
            if len(rows) < PAGE:
                return

    @implements("REQ-002", "REQ-050")
    def prove(self, index: int, size: int | None = None) -> Receipt:
        """An entry with its inclusion proof in the log of `size` entries (by default all of them); O(log n) rows.

        Raises:
            UsageError: there is no such entry, or the log never stood at that size.
            VerificationError: the entry's bytes do not fit the tree.
        """
        with self._database.asking() as connection:
            newest = size_of(connection)
            within = newest if size is None else size
            if not 0 <= index < within <= newest:
                raise UsageError(f"the log has no entry {index} among its first {within}")
            pairs = list(in_order(rows_of(connection, PAIRS.format(index, 1)), index))
            nodes = nodes_of(connection, {(0, index), *inclusion_nodes(index, within)})
            note = note_of(connection, within)
        content, details = pairs[0] if pairs else (b"", None)
        if nodes.get((0, index)) != leaf_hash(content):
            raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
        proof = _whole(inclusion_proof, nodes, index, within)
        try:
            verify_inclusion(leaf_hash(content), index, within, proof, parse_note(note).checkpoint.root)
        except VerificationError:
            raise VerificationError(
                f"the tree's nodes do not lead from entry {index} to the checkpoint",
                hint="`minivess audit rebuild` derives the tree again",
            ) from None
        return Receipt(
            index=index,
            entry=content.decode("utf-8"),
            proof=tuple(to_base64(node) for node in proof),
            checkpoint=note,
            details=None if details is None else details.decode("utf-8"),
        )

    @implements("REQ-002", "REQ-050")
    def consistency(self, old_size: int, new_size: int | None = None) -> tuple[bytes, ...]:
        """The RFC 6962 proof that the log of `new_size` entries (by default all) continues that of `old_size`.

        Raises:
            UsageError: the log never stood at one of these sizes.
        """
        with self._database.asking() as connection:
            newest = size_of(connection)
            later = newest if new_size is None else new_size
            if not 0 <= old_size <= later <= newest:
                raise UsageError(f"the log of {newest} entries has no stretch from {old_size} to {later}")
            nodes = nodes_of(connection, consistency_nodes(old_size, later))
        return _whole(consistency_proof, nodes, old_size, later)

    def pending_events(self, limit: int = 1000) -> list[tuple[int, dict[str, Any]]]:
        """The oldest OpenLineage events not delivered yet, in order, as (outbox id, event)."""
        with self._database.asking() as connection:
            rows = rows_of(connection, _WAITING, [limit])
        return [(int(identifier), json.loads(event)) for identifier, event in rows if identifier is not None]

    def timestamp(self, size: int) -> bytes | None:
        """The RFC 3161 response kept for the checkpoint of that size."""
        with self._database.asking() as connection:
            found = rows_of(connection, "SELECT timestamp FROM checkpoint WHERE size = ?", [size])
        return plain_bytes(size, found[0][0]) if found and found[0][0] is not None else None

    def compare(self, progress: Callable[[int], None] = lambda _: None, *, events: EventOf | None = None) -> Rebuilt:
        """Compare every table that repeats what the entries say with them; see `audit.rebuild`."""
        from minivess.compliance.audit.rebuild import compare

        return compare(self._database, self._origin, progress, events=events)

    def close(self) -> None:
        """Let go of the database. A closed log can still be used; it connects again."""
        self._database.close()


def _action_of(index: int, line: bytes) -> str:
    """The action of an entry, from its canonical bytes."""
    if not line.startswith(_BEGINNING):
        raise VerificationError(f"entry {index} of the log is malformed")
    return line[len(_BEGINNING) : line.index(b'"', len(_BEGINNING))].decode("utf-8", errors="replace")


def _details(index: int, value: object) -> Details | None:
    try:
        return None if value is None else Details.model_validate_json(plain_bytes(index, value))
    except ValidationError:
        raise VerificationError(f"the details of entry {index} of the log are malformed") from None


def _whole(prove: Any, nodes: dict[Any, bytes], first: int, second: int) -> tuple[bytes, ...]:
    try:
        proof: tuple[bytes, ...] = prove(nodes, first, second)
    except KeyError as missing:
        raise VerificationError(
            f"a node of the log's tree is missing: {missing}", hint="`minivess audit rebuild` derives the tree again"
        ) from None
    return proof


def _in_child() -> None:
    for reader in _READERS:
        reader._reset()


os.register_at_fork(after_in_child=_in_child)
