"""The append-only audit log.

Each entry is signed by its actor and is a leaf of an RFC 6962 Merkle tree; each append commits, in one transaction, the
entry, its OpenLineage event and a checkpoint (C2SP `tlog-checkpoint`) signed by the log. Writers of several threads and
processes take turns by the database's write lock and carry on from whatever head they find there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from minivess.compliance.audit.head import (
    Head,
    catch_up,
    content_of,
    note_of,
    parse_entry,
    plain_bytes,
    size_of,
)
from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow, OutboxRow
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note, valid_origin
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import Frontier, inclusion_proof, leaf_hash
from minivess.foundation.clock import Clock, timestamp, utc_now
from minivess.foundation.errors import (
    CannotWriteError,
    CouldNotCheckError,
    InputError,
    RefusedError,
    UsageError,
    VerificationError,
)
from minivess.foundation.implements import implements
from minivess.records.entry import Draft, Entry, EntryBody, Outcome
from minivess.records.identity import Identity, KeyAlgorithm
from minivess.records.payloads import LogCreated, check_payload
from minivess.records.receipt import Receipt

_PAGE = 500
_WAIT_SECONDS = 30.0
_MAX_ENTRY = 1 << 20
"""Bytes of one entry; verification refuses larger ones."""


class _TakeBackError(Exception):
    """Ends a trial write, so that it is rolled back."""


@implements("REQ-001", "REQ-003", "REQ-005", "REQ-046", "RC-14")
class AuditLog:
    """One log. Made by `create` or `open`; safe to share between threads.

    Every method that reaches for the database raises `CouldNotCheckError` when it is out of reach; nothing is ever
    half-written.
    """

    def __init__(self, database: Database, *, origin: str, log_signer: Signer | None, clock: Clock) -> None:
        self._database = database
        self._origin = origin
        self._log_signer = log_signer
        self._clock = clock
        self._head = Head()
        self._lock = threading.Lock()

    @classmethod
    def create(
        cls,
        database_url: str,
        *,
        origin: str,
        device: str,
        log_signer: Signer,
        roots: tuple[Identity, ...],
        threshold: int,
        root_signer: Signer,
        clock: Clock = utc_now,
        wait: float = _WAIT_SECONDS,
    ) -> AuditLog:
        """Make a log whose entry 0, signed by a root, says what it is for and whom it trusts.

        Args:
            database_url: SQLAlchemy URL; an SQLite file is made with its folder.
            origin: the log's name in checkpoints (a C2SP key name, for example `minivess.example/device`).
            device: the device the log is for.
            log_signer: the Ed25519 service key that signs checkpoints.
            roots: the identities trusted from the start.
            threshold: how many of the roots must agree on root matters.
            root_signer: the root who signs entry 0.
            clock: tells the time.
            wait: seconds to wait for another writer.

        Raises:
            UsageError: there is a log already, or origin, keys, roots and threshold do not fit together.
        """
        if not valid_origin(origin):
            raise UsageError(f"{origin!r} cannot name a log", hint="use a name without spaces and plus signs")
        if log_signer.public.algorithm is not KeyAlgorithm.ED25519:
            raise UsageError("checkpoints are signed with an Ed25519 key", hint="create a service identity for the log")
        if not any(root.id == root_signer.identity.id and root.signing_key == root_signer.public for root in roots):
            raise UsageError(f"{root_signer.identity.id} signs the first entry but is none of the roots")
        if not 1 <= threshold <= len({root.id for root in roots}):
            raise UsageError(f"a threshold of {threshold} cannot be met by {len(roots)} roots")
        payload = LogCreated(device=device, log_key=log_signer.public, roots=roots, threshold=threshold)
        draft = Draft(action="log.created", outcome=Outcome.COMPLETED, payload=payload.model_dump(mode="json"))
        database = Database(database_url, wait=wait)
        database.make_folder()
        log = cls(database, origin=origin, log_signer=log_signer, clock=clock)
        try:
            with database.writing() as connection:
                database.migrate(connection)
                if connection.scalar(select(func.count()).select_from(EntryRow)):
                    raise UsageError("there is an audit log already", hint="open it, or choose another folder")
                _, head = log._write(connection, draft, root_signer, None)
        except BaseException:
            database.close()
            raise
        log._head = head
        return log

    @classmethod
    def open(
        cls,
        database_url: str,
        *,
        log_signer: Signer | None,
        clock: Clock = utc_now,
        wait: float = _WAIT_SECONDS,
    ) -> AuditLog:
        """Open a log that exists, bring its tables up to date, and compare its head with its last checkpoint.

        Args:
            database_url: SQLAlchemy URL.
            log_signer: the log's own key; None opens it for reading alone.
            clock: tells the time.
            wait: seconds to wait for another writer.

        Raises:
            InputError: there is no log, or a newer version wrote it.
            RefusedError: `log_signer` is not the key of this log.
            VerificationError: the entries do not agree with the last checkpoint.
        """
        database = Database(database_url, wait=wait)
        if database.missing():
            raise InputError("there is no audit log here", hint="start one with `minivess audit start`")
        try:
            _bring_up_to_date(database, writable=log_signer is not None)
            log = cls(database, origin="", log_signer=log_signer, clock=clock)
            with database.reading() as connection:
                if size_of(connection) == 0:
                    raise InputError("there is no audit log here", hint="start one with `minivess audit start`")
                created = _created(content_of(connection, 0))
                log._origin = created.body.log
                log._head = catch_up(connection, log._head, origin=log._origin)
        except BaseException:
            database.close()
            raise
        log_key = LogCreated.model_validate(created.body.payload).log_key
        if log_signer is not None and log_signer.public != log_key:
            database.close()
            raise RefusedError(
                "this key does not sign this log's checkpoints", hint="use the key the log was made with"
            )
        return log

    @property
    def origin(self) -> str:
        """The log's name, as in its checkpoints and entries."""
        return self._origin

    @property
    def size(self) -> int:
        """Number of entries at this moment."""
        with self._database.reading() as connection:
            return size_of(connection)

    def append(self, draft: Draft, signer: Signer, *, event: dict[str, Any] | None = None) -> Receipt:
        """Record something: when this returns, the entry is on the disk.

        The entry is given its index and a time never earlier than the entry before it, is signed by `signer`, and is
        committed together with `event` (for the outbox) and a new signed checkpoint.

        Raises:
            UsageError: an unknown action, a payload that its action does not declare, or an event that is no JSON.
            InputError: the payload has no canonical form.
            RefusedError: the signer is not enrolled in this log, is revoked, or may not enrol or revoke.
            VerificationError: the database does not agree with its last checkpoint.
            CannotWriteError: the log cannot be written; nothing was.
        """
        check_payload(draft.action, draft.payload, complete=draft.outcome is Outcome.COMPLETED)
        if draft.action == "log.created":
            raise UsageError("a log is created once, by `AuditLog.create`")
        with self._lock:
            with self._database.writing() as connection:
                self._head = catch_up(connection, self._head, origin=self._origin)
                receipt, head = self._write(connection, draft, signer, event)
            self._head = head  # only now is it committed
        return receipt

    def check_writable(self) -> None:
        """Make sure that an entry could be appended now: take the write lock, write, and take the write back.

        Raises:
            CannotWriteError: the log cannot be written.
            VerificationError: the database does not agree with its last checkpoint.
        """
        self._signs()
        try:
            with self._lock, self._database.writing() as connection:
                self._head = catch_up(connection, self._head, origin=self._origin)
                connection.execute(insert(CheckpointRow).values(size=-1, note="trial"))
                raise _TakeBackError
        except _TakeBackError:
            return

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """The entries from index `start` on, in order, read in pages.

        Raises:
            VerificationError: the bytes of an entry are no entry.
        """
        for index, line in enumerate(self.lines(start), start):
            yield parse_entry(index, line)

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """The canonical bytes of the entries from index `start` on (each one a Merkle leaf), without newlines.

        Raises:
            VerificationError: an index is missing.
        """
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(
                    select(col(EntryRow.index), col(EntryRow.content))
                    .where(col(EntryRow.index) >= start)
                    .order_by(col(EntryRow.index))
                    .limit(_PAGE)
                ).all()
            for index, content in rows:
                if index != start:
                    raise VerificationError(f"entry {start} is missing from the log")
                start += 1
                yield plain_bytes(index, content)
            if len(rows) < _PAGE:
                return

    def checkpoint(self) -> str:
        """The newest signed checkpoint, a C2SP signed note."""
        with self._database.reading() as connection:
            return note_of(connection, size_of(connection))

    def prove(self, index: int, size: int | None = None) -> Receipt:
        """An entry with its inclusion proof in the log of `size` entries (by default all of them).

        Raises:
            UsageError: there is no such entry, or the log never stood at that size.
            VerificationError: the entry's bytes do not fit its leaf hash.
        """
        with self._database.reading() as connection:
            within = size_of(connection) if size is None else size
            if not 0 <= index < within or within > size_of(connection):
                raise UsageError(f"the log has no entry {index} among its first {within}")
            stored = select(col(EntryRow.leaf)).where(col(EntryRow.index) < within).order_by(col(EntryRow.index))
            leaves = [plain_bytes(place, leaf) for place, leaf in enumerate(connection.scalars(stored))]
            content = content_of(connection, index)
            note = note_of(connection, within)
        if len(leaves) != within or leaf_hash(content) != leaves[index]:
            raise VerificationError(f"entry {index} of the log does not fit its leaf hash")
        return Receipt(
            index=index,
            entry=content.decode("utf-8"),
            proof=tuple(to_base64(node) for node in inclusion_proof(leaves, index)),
            checkpoint=note,
        )

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

    def mark_delivered(self, ids: Sequence[int]) -> None:
        """Note that these events arrived."""
        if not ids:
            return
        now = timestamp(self._clock())
        with self._database.writing() as connection:
            connection.execute(update(OutboxRow).where(col(OutboxRow.id).in_(ids)).values(delivered_at=now))

    def close(self) -> None:
        """Let go of the database. A closed log can still be used; it connects again."""
        self._database.close()

    def _signs(self) -> Signer:
        if self._log_signer is None:
            raise CannotWriteError("the log cannot be written: it was opened for reading", hint="give the log's key")
        return self._log_signer

    def _write(
        self, connection: Connection, draft: Draft, signer: Signer, event: dict[str, Any] | None
    ) -> tuple[Receipt, Head]:
        """Add one entry to the open transaction; returns what will be true once it is committed."""
        log_signer, head = self._signs(), self._head
        _check_started(connection, draft)
        moment = self._clock()
        body = EntryBody(
            **dict(draft),
            log=self._origin,
            index=head.size,
            time=moment if head.time is None else max(moment, head.time),
            actor=signer.identity.id,
            key=signer.key_id,
        )
        entry = Entry(body=body, signature=to_base64(signer.sign(canonical(body))))
        register = head.register.extend(entry)
        if register.key(body.key, body.index).id != body.actor:
            raise RefusedError(f"the key of {body.actor} is enrolled in this log under another name")
        content = canonical(entry)
        if len(content) > _MAX_ENTRY:
            raise UsageError(f"an entry of {len(content)} bytes is too large", hint=f"at most {_MAX_ENTRY} bytes")
        leaf = leaf_hash(content)
        frontier = Frontier(head.size, head.peaks)
        proof = frontier.append(leaf)
        note = sign_note(Checkpoint(self._origin, frontier.size, frontier.root()), log_signer)
        connection.execute(
            insert(EntryRow).values(
                index=body.index,
                content=content,
                leaf=leaf,
                action=body.action,
                outcome=body.outcome.value,
                actor=body.actor,
                time=timestamp(body.time),
            )
        )
        connection.execute(insert(CheckpointRow).values(size=frontier.size, note=note))
        if event is not None:
            connection.execute(insert(OutboxRow).values(entry=body.index, event=_event_text(event)))
        receipt = Receipt(
            index=body.index,
            entry=content.decode("utf-8"),
            proof=tuple(to_base64(node) for node in proof),
            checkpoint=note,
        )
        return receipt, Head(frontier.size, frontier.peaks, body.time, register)


def _bring_up_to_date(database: Database, *, writable: bool) -> None:
    with database.reading() as connection:
        if database.revision(connection) is None:
            raise InputError("there is no audit log here", hint="start one with `minivess audit start`")
        outdated = database.outdated(connection)
    if not outdated:
        return
    if not writable:
        raise CouldNotCheckError(
            "the audit log's database is of another version", hint="open it once for writing, or use that version"
        )
    with database.writing() as connection:
        database.migrate(connection)


def _check_started(connection: Connection, draft: Draft) -> None:
    """An entry that ends an action must name the entry that started it."""
    if draft.started is None:
        return
    row = connection.execute(
        select(col(EntryRow.action), col(EntryRow.outcome)).where(col(EntryRow.index) == draft.started)
    ).one_or_none()
    if row is None or tuple(row) != (draft.action, Outcome.STARTED.value):
        raise UsageError(f"entry {draft.started} did not start an action {draft.action!r}")


def _created(content: bytes) -> Entry:
    entry = parse_entry(0, content)
    try:
        check_payload("log.created", entry.body.payload, complete=True)
    except UsageError:
        raise VerificationError("entry 0 of the log does not say what the log is for") from None
    if entry.body.action != "log.created":
        raise VerificationError("entry 0 of the log does not say what the log is for")
    return entry


def _event_text(event: dict[str, Any]) -> str:
    try:
        return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise UsageError(f"the event of an entry cannot be written as JSON: {error}") from None
