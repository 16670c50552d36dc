"""The append-only audit log.

Each entry is signed by its actor and is a leaf of an RFC 6962 Merkle tree; each commit holds, in one transaction, entries,
their OpenLineage events and a checkpoint (C2SP `tlog-checkpoint`) signed by the log.

Group commit: threads that append at the same time queue up, and whichever of them gets its turn commits for all that
wait, with one flush to the disk. Processes take turns by the database's write lock and carry on from whatever head they
find there (docs/decisions/0006-turns.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, update
from sqlmodel import col

from minivess.compliance.audit.batch import Act, Batch, key_of_log, prepare
from minivess.compliance.audit.calls import Call, own_error
from minivess.compliance.audit.head import Head, catch_up, check_unchanged
from minivess.compliance.audit.opening import WAIT_SECONDS, existing_database, origin_in, outdated
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.audit.rebuild import EventOf, Rebuilt, rebuild
from minivess.compliance.audit.store.database import Database, driver_of
from minivess.compliance.audit.store.tables import CheckpointRow, OutboxRow
from minivess.compliance.audit.stored_rows import note_of, size_of
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note, valid_origin
from minivess.compliance.proofs.cosignature import add_signatures
from minivess.compliance.rules.actions import table
from minivess.foundation.clock import Clock, timestamp, utc_now
from minivess.foundation.errors import (
    CannotWriteError,
    MinivessError,
    RefusedError,
    UsageError,
    VerificationError,
)
from minivess.foundation.implements import implements
from minivess.records.log.entry import Draft, Outcome
from minivess.records.log.payloads.identities import LogCreated
from minivess.records.log.receipt import Receipt
from minivess.records.log.witnessed import Checked
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind

_READ_AGAIN = 4096
"""Entries of a log that is read again as a whole before it is written, when another connection wrote to it."""
_MOST_ACTS = 4096
"""Entries that wait longer than for one commit make room for others."""


class _TakeBackError(Exception):
    """Ends a trial write, so that it is rolled back."""


@implements("REQ-001", "REQ-003", "REQ-005", "REQ-046", "REQ-061", "RC-14")
class AuditLog(LogReader):
    """One log. Made by `create` or `open`; safe to share between threads, and to go on with in a forked process.

    Every method that reaches for the database raises `CouldNotCheckError` when it is out of reach; nothing is ever
    half-written.
    """

    def __init__(self, database: Database, *, origin: str, log_signer: Signer | None, clock: Clock) -> None:
        self._log_signers: tuple[Signer, ...] = () if log_signer is None else (log_signer,)
        self._clock = clock
        super().__init__(database, origin=origin)

    def _reset(self) -> None:
        super()._reset()
        self._waiting: deque[Call] = deque()

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
        serves: str | None = None,
        checked: dict[str, Checked] | None = None,
        clock: Clock = utc_now,
        wait: float = WAIT_SECONDS,
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
            serves: for a serving log, the origin of the device's log; its only root is then the service that answers.
            checked: what the root who signs checked about the roots, by id.
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
        services = [root.kind is IdentityKind.SERVICE for root in roots]
        if services != [True] if serves is not None else any(services):
            raise UsageError("a service is the root of its own serving log, and of no other log")
        payload = LogCreated(
            device=device,
            log_key=log_signer.public,
            roots=roots,
            threshold=threshold,
            serves=serves,
            rules=table().adopted,
            checked=checked,
        )
        fields = payload.model_dump(
            mode="json", exclude={name for name in ("serves", "checked") if getattr(payload, name) is None}
        )
        draft = Draft(action="log.created", outcome=Outcome.COMPLETED, payload=fields)
        database = Database(database_url, wait=wait)
        database.make_folder()
        log = cls(database, origin=origin, log_signer=log_signer, clock=clock)
        try:
            with database.writing() as connection:
                database.migrate(connection)
                if size_of(driver_of(connection)):
                    raise UsageError("there is an audit log already", hint="open it, or choose another folder")
                batch = Batch(database, connection, log._head, origin=origin, log_signers=[log_signer], clock=clock)
                batch.add([prepare(draft, root_signer, origin=origin)])
                batch.write()
        except BaseException:
            database.close()
            raise
        log._head = batch.head
        return log

    @classmethod
    def open(
        cls,
        database_url: str,
        *,
        log_signer: Signer | None,
        clock: Clock = utc_now,
        wait: float = WAIT_SECONDS,
    ) -> AuditLog:
        """Open a log that exists. For writing, bring its tables up to date and follow it entry by entry to its checkpoint.

        A log that is opened for reading is compared with its checkpoint when its entries are read.

        Args:
            database_url: SQLAlchemy URL.
            log_signer: the log's own key; None opens it for reading alone.
            clock: tells the time.
            wait: seconds to wait for another writer.

        Raises:
            InputError: there is no log, or a newer version wrote it.
            RefusedError: `log_signer` is not the key of this log.
            VerificationError: an entry was changed, or may not be where it is, or the last checkpoint is not over all of
                them.
        """
        database = existing_database(database_url, wait=wait)
        try:
            if outdated(database, writable=log_signer is not None):
                with database.writing() as writer:
                    database.migrate(writer)
            log = cls(database, origin=origin_in(database), log_signer=log_signer, clock=clock)
            if log_signer is not None:
                with database.asking() as connection:
                    log._head = catch_up(connection, log._head, origin=log._origin)
        except BaseException:
            database.close()
            raise
        if log_signer is not None and log_signer.public != log._head.register.log_key:
            database.close()
            raise RefusedError("this key does not sign this log's checkpoints", hint="use the key that the log has now")
        return log

    def hold_next_key(self, log_signer: Signer) -> None:
        """Keep the key at hand that a `roots.changed` is about to name, so that its checkpoint can be signed."""
        self._log_signers = (self._signs(), log_signer)

    @property
    def signer(self) -> Signer:
        """The log's own key.

        Raises:
            CannotWriteError: the log was opened for reading.
        """
        return self._signs()

    def append(self, draft: Draft, signer: Signer, *, event: dict[str, Any] | None = None) -> Receipt:
        """Record something: when this returns, the entry is on the disk.

        The entry is given its index and a time never earlier than the entry before it, is signed by `signer`, and is
        committed together with `event` (for the outbox) and a new signed checkpoint.

        Raises:
            UsageError: an unknown action, a payload that its action does not declare, or an event that is no JSON.
            InputError: the payload has no canonical form.
            RefusedError: the signer is not enrolled in this log, is revoked, or may not do this.
            VerificationError: the database does not agree with its last checkpoint.
            CannotWriteError: the log cannot be written, and the entry is not acknowledged. Nothing was written, unless
                a database server was lost between its commit and its answer: then the whole entry stands.
        """
        return self.append_all([draft], signer, events=[event])[0]

    def append_all(
        self, drafts: Sequence[Draft], signer: Signer, *, events: Sequence[dict[str, Any] | None] | None = None
    ) -> list[Receipt]:
        """Record several things at once: one flush to the disk for all of them, and either all of them or none.

        Args:
            drafts: what happened, in order.
            signer: who did it; signs each entry.
            events: the event of each draft, by default none.

        Returns:
            One receipt an entry, in the order of the drafts.

        Raises:
            UsageError, InputError, RefusedError, VerificationError, CannotWriteError: as `append`.
        """
        queued = [None] * len(drafts) if events is None else events
        if len(queued) != len(drafts) or len(drafts) > _MOST_ACTS:
            raise UsageError(f"give one event a draft, and {_MOST_ACTS} drafts at most")
        if any(draft.action == "entry.erased" for draft in drafts):
            raise UsageError("details are erased by `AuditLog.erase`")
        if any(draft.action == "log.created" for draft in drafts):
            raise UsageError("a log is created once, by `AuditLog.create`")
        pairs = zip(drafts, queued, strict=True)
        return self._commit([prepare(draft, signer, origin=self._origin, event=event) for draft, event in pairs])

    @implements("REQ-062", "RC-18")
    def erase(
        self,
        draft: Draft,
        signer: Signer,
        *,
        event: dict[str, Any] | None = None,
        redact: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Receipt:
        """Delete the details of an entry, together with the entry that says so and why.

        The commitment stays in the tree, so that every proof still holds. What was deleted is overwritten in an SQLite
        file; on PostgreSQL it goes with the next VACUUM. Backups and what was delivered elsewhere are beyond the log.

        Args:
            draft: a completed `entry.erased`.
            signer: a root or a release manager.
            event: its own OpenLineage event.
            redact: takes from the events of the erased entry what its details said.

        Raises:
            RefusedError: that entry has no details, or not any more.
            UsageError, InputError, RefusedError, VerificationError, CannotWriteError: as `append`.
        """
        if draft.action != "entry.erased" or draft.outcome is not Outcome.COMPLETED:
            raise UsageError("an erasure is a completed `entry.erased`")
        receipt = self._commit([prepare(draft, signer, origin=self._origin, event=event, redact=redact)])[0]
        self._database.scrub()
        return receipt

    def check_writable(self) -> None:
        """Make sure that an entry could be appended now: take the write lock, write, and take the write back.

        Raises:
            CannotWriteError: the log cannot be written.
            VerificationError: the database does not agree with its last checkpoint.
        """
        self._signs()
        try:
            with self._turn, self._database.writing() as connection:
                self._head = self._followed(connection)
                connection.execute(insert(CheckpointRow).values(size=-1, note="trial"))
                raise _TakeBackError
        except _TakeBackError:
            return

    def rebuild(self, progress: Callable[[int], None] = lambda _: None, *, events: EventOf | None = None) -> Rebuilt:
        """Derive every table that repeats what the entries say again; see `audit.rebuild`."""
        with self._turn:
            return rebuild(self._database, self._origin, progress, events=events)

    def mark_delivered(self, ids: Sequence[int]) -> None:
        """Note that these events arrived."""
        if not ids:
            return
        now = timestamp(self._clock())
        with self._database.writing() as connection:
            connection.execute(update(OutboxRow).where(col(OutboxRow.id).in_(ids)).values(delivered_at=now))

    def keep_note(self, note: str) -> str:
        """Keep more signatures (of witnesses) on a checkpoint that this log signed, beside those that it has.

        Returns:
            The note as it is kept.

        Raises:
            VerificationError: the note is for another head than the log's of that size, or lacks the log's signature.
        """
        signed = parse_note(note)
        held = signed.verify(self._origin, self.standing.register.log_key_at(signed.checkpoint.size))
        with self._database.writing() as connection:
            kept = note_of(driver_of(connection), held.size)
            if parse_note(kept).checkpoint != held:
                raise VerificationError(f"this is another checkpoint of {held.size} entries than the log's own")
            more = add_signatures(kept, note.rpartition("\n\n")[2])
            connection.execute(update(CheckpointRow).where(col(CheckpointRow.size) == held.size).values(note=more))
        return more

    def keep_timestamp(self, size: int, response: bytes) -> None:
        """Keep an RFC 3161 response for the checkpoint of that size."""
        with self._database.writing() as connection:
            note_of(driver_of(connection), size)
            connection.execute(update(CheckpointRow).where(col(CheckpointRow.size) == size).values(timestamp=response))

    def _followed(self, connection: Connection) -> Head:
        """Where the log stands now. When another connection wrote to a log that is not long, all of it is read again."""
        if self._database.written_by_others(connection) and 0 < self._head.size <= _READ_AGAIN:
            check_unchanged(driver_of(connection), self._head)
        return catch_up(driver_of(connection), self._head, origin=self._origin)

    def _signs(self) -> Signer:
        if not self._log_signers:
            raise CannotWriteError("the log cannot be written: it was opened for reading", hint="give the log's key")
        return key_of_log(self._log_signers, self._head.register)

    def _commit(self, acts: list[Act]) -> list[Receipt]:
        """Queue up, wait for the turn, and unless somebody has committed for us meanwhile, commit for all that wait."""
        if not acts:
            return []
        self._signs()
        call = Call(acts)
        self._waiting.append(call)
        with self._turn:
            while not call.over:
                self._commit_waiting()
        if call.error is not None:
            raise call.error
        assert call.batch is not None  # noqa: S101  for the type checker: a call without error was committed
        return [call.batch.receipt(act) for act in acts]

    def _commit_waiting(self) -> None:
        calls: list[Call] = []
        while self._waiting and (not calls or sum(len(call.acts) for call in calls) < _MOST_ACTS):
            calls.append(self._waiting.popleft())
        try:
            batch = self._write(calls)
        except BaseException as error:
            for call in calls:
                call.error = call.error or own_error(error)
            if not isinstance(error, Exception):
                raise
            return
        for call in calls:
            if call.error is None:
                call.batch = batch

    def _write(self, calls: list[Call]) -> Batch:
        with self._database.writing() as connection:
            self._head = self._followed(connection)
            batch = Batch(
                self._database,
                connection,
                self._head,
                origin=self._origin,
                log_signers=self._log_signers,
                clock=self._clock,
            )
            for call in calls:
                try:
                    batch.add(call.acts)
                except MinivessError as error:  # this caller's fault; the others go on
                    call.error = error
            batch.write()
        self._head = batch.head  # only now is it committed
        return batch
