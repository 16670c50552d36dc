"""Entries that are committed together: placed, signed, hashed into the tree, and covered by one checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update
from sqlmodel import SQLModel, col

from minivess.compliance.audit.head import Head
from minivess.compliance.audit.store.database import Database
from minivess.compliance.audit.store.tables import CheckpointRow, EntryRow, NodeRow, OutboxRow
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import (
    Frontier,
    Node,
    Part,
    frontier_nodes,
    inclusion_parts,
    leaf_hash,
    node_id,
    part_hash,
)
from minivess.compliance.rules.admission import NotStartedError, admit, needs_record
from minivess.compliance.rules.restores import RESTORED, check_root
from minivess.compliance.rules.standing import Standing
from minivess.foundation.clock import Clock, timestamp
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CannotWriteError, RefusedError, UsageError, VerificationError
from minivess.records.log.entry import ENTRY_FORMAT, Draft, EntryBody, Outcome
from minivess.records.log.payloads.by_action import check_payload, observed
from minivess.records.log.receipt import Receipt

MAX_ENTRY = 1 << 20
"""Bytes of one entry; verification refuses larger ones."""
_SALT = 16

Redact = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Brief:
    """What `admit` needs of an entry whose payload changes no state."""

    action: str
    outcome: Outcome
    index: int
    actor: str
    key: str
    started: int | None


@dataclass(eq=False)
class Act:
    """A draft that was checked and made ready, so that little is left to do while the write lock is held."""

    draft: Draft
    signer: Signer
    body: dict[str, Any]
    """The body's fields as plain JSON, but for index and time."""
    details: bytes | None
    event: dict[str, Any] | None
    """Its OpenLineage event; its `eventTime` becomes the time of the entry."""
    redact: Redact | None
    index: int = -1
    content: bytes = b""
    """Its place and bytes, once `Batch.add` has given it them."""


def prepare(
    draft: Draft,
    signer: Signer,
    *,
    origin: str,
    event: dict[str, Any] | None = None,
    redact: Redact | None = None,
) -> Act:
    """Check a draft and do all of its entry that does not depend on its place.

    Raises:
        UsageError: an unknown action, a payload that its action does not declare, or an event that is no JSON.
        InputError: the details have no canonical form.
    """
    check_payload(draft.action, draft.payload, complete=draft.outcome is Outcome.COMPLETED)
    body = draft.model_dump(mode="json", exclude={"error"})
    apart = observed(draft.action) and bool(draft.payload)
    details: bytes | None = None
    if apart or draft.error is not None:
        salt = to_base64(os.urandom(_SALT))
        details = canonical({"error": draft.error, "payload": draft.payload if apart else {}, "salt": salt})
    body |= {
        "actor": signer.identity.id,
        "details": None if details is None else digest_bytes(details),
        "format": ENTRY_FORMAT,
        "key": signer.key_id,
        "log": origin,
        "payload": {} if apart else draft.payload,
    }
    if event is not None:
        _event_text(event)
    return Act(draft, signer, body, details, event, redact)


class Batch:
    """What one transaction adds to a log.

    Args:
        database: the log's.
        connection: holds its write lock.
        head: where the log stands in the database.
        origin: the log's name.
        log_signers: the log's own keys; the one that the register names signs the checkpoint.
        clock: tells the time.
    """

    def __init__(
        self,
        database: Database,
        connection: Connection,
        head: Head,
        *,
        origin: str,
        log_signers: Sequence[Signer],
        clock: Clock,
    ) -> None:
        self._database = database
        self._connection = connection
        self._origin = origin
        self._log_signers = log_signers
        self._clock = clock
        self._frontier = Frontier(head.size, head.peaks)
        self._standing = head.standing
        self._time = head.time
        self._nodes: dict[Node, bytes] = dict(zip(frontier_nodes(head.size), head.peaks, strict=True))
        self._new_nodes: list[tuple[Node, bytes]] = []
        self._acts: list[Act] = []
        self._erased: list[tuple[int, Redact]] = []
        self._note = ""
        self._proven: dict[Part, str] = {}
        """Hashes of proofs, as receipts write them: neighbours share most of theirs."""

    @property
    def head(self) -> Head:
        """Where the log stands once this is committed."""
        return Head(self._frontier.size, self._frontier.peaks, self._time, self._standing)

    def add(self, acts: list[Act]) -> None:
        """Place acts at the end of the log, all of them or none.

        Raises:
            RefusedError: the signer may not do this.
            UsageError: one ends an action that was not started, or was ended before, or is too large.
            InputError: one has no canonical form.
        """
        frontier, standing, time = Frontier(self._frontier.size, self._frontier.peaks), self._standing, self._time
        marks = len(self._new_nodes), len(self._acts), len(self._erased)
        try:
            for act in acts:
                self._place(act)
        except BaseException:
            self._frontier, self._standing, self._time = frontier, standing, time
            for node, _ in self._new_nodes[marks[0] :]:
                del self._nodes[node]
            del self._new_nodes[marks[0] :], self._acts[marks[1] :], self._erased[marks[2] :]
            raise

    def write(self) -> None:
        """Add the rows to the open transaction, with one checkpoint over all of them.

        Raises:
            CannotWriteError: the log's key was changed, and the new one is not at hand.
        """
        if not self._acts:
            return
        checkpoint = Checkpoint(self._origin, self._frontier.size, self._frontier.root())
        self._note = sign_note(checkpoint, key_of_log(self._log_signers, self._standing.register))
        rows: list[tuple[type[SQLModel], list[dict[str, Any]]]] = [
            (EntryRow, [_row(act) for act in self._acts]),
            (NodeRow, [{"id": node_id(*node), "hash": value} for node, value in self._new_nodes]),
            (CheckpointRow, [{"size": self._frontier.size, "note": self._note}]),
            (OutboxRow, [_outbox_row(act, act.event) for act in self._acts if act.event is not None]),
        ]
        for table, values in rows:
            if values:
                self._database.insert(self._connection, table, values)
        for index, redact in self._erased:
            self._erase(index, redact)

    def receipt(self, act: Act) -> Receipt:
        """What the author of an act of this batch gets, once it is committed."""
        known, nodes = self._proven, self._nodes
        for part in (parts := inclusion_parts(act.index, self._frontier.size)):
            if part not in known:
                known[part] = to_base64(part_hash(nodes, part))
        return Receipt(
            index=act.index,
            entry=act.content.decode("utf-8"),
            proof=tuple(known[part] for part in parts),
            checkpoint=self._note,
            details=None if act.details is None else act.details.decode("utf-8"),
        )

    def _place(self, act: Act) -> None:
        draft, index = act.draft, self._frontier.size
        now = self._clock()
        moment = now if self._time is None else max(now, self._time)
        act.body |= {"index": index, "time": timestamp(moment)}
        body = canonical(act.body)
        if len(body) + len(act.details or b"") > MAX_ENTRY - 1024:
            raise UsageError(f"an entry of more than {MAX_ENTRY - 1024} bytes is too large")
        try:
            standing = self._admitted(draft, act.signer, index, body)
            if draft.action == RESTORED:
                check_root(EntryBody.model_validate_json(body), self._frontier.root())
        except NotStartedError as error:
            raise UsageError(f"this entry is out of order: {error.message}") from None
        except VerificationError as error:
            raise RefusedError(error.message.removeprefix(f"entry {index}: "), hint=error.hint) from None
        signature = to_base64(act.signer.sign(body))
        if act.redact is not None:
            self._erased.append((self._erasable(draft), act.redact))
        act.index = index
        act.content = b'{"body":%b,"signature":"%b"}' % (body, signature.encode("ascii"))
        made = self._frontier.append(leaf_hash(act.content))
        self._nodes.update(made)
        self._new_nodes += made
        self._acts.append(act)
        self._time, self._standing = moment, standing

    def _admitted(self, draft: Draft, signer: Signer, index: int, body: bytes) -> Standing:
        """The state of the log after an act, if it may be appended now.

        Raises:
            VerificationError: it may not.
        """
        if index == 0 or needs_record(self._standing, draft.action):
            return admit(self._standing, EntryBody.model_validate_json(body))
        brief = _Brief(draft.action, draft.outcome, index, signer.identity.id, signer.key_id, draft.started)
        return admit(self._standing, brief)

    def _erasable(self, draft: Draft) -> int:
        index = int(draft.payload["entry"])
        row = self._connection.execute(select(col(EntryRow.details)).where(col(EntryRow.index) == index)).one_or_none()
        if row is None or row[0] is None:
            raise RefusedError(
                f"entry {index} has no details to erase",
                hint="the log's state is derived from the entry itself, which stays",
            )
        return index

    def _erase(self, index: int, redact: Redact) -> None:
        self._connection.execute(update(EntryRow).where(col(EntryRow.index) == index).values(details=None))
        events = self._connection.execute(
            select(col(OutboxRow.id), col(OutboxRow.event)).where(col(OutboxRow.entry) == index)
        ).all()
        for identifier, event in events:
            text = _event_text(redact(json.loads(event)))
            self._connection.execute(update(OutboxRow).where(col(OutboxRow.id) == identifier).values(event=text))


def key_of_log(signers: Sequence[Signer], register: Register) -> Signer:
    """The key that signs the log's next checkpoint.

    Raises:
        CannotWriteError: it is none of these.
    """
    key_id = register.log_key.key_id
    for signer in signers:
        if signer.key_id == key_id:
            return signer
    raise CannotWriteError(
        "the log has another key now, and this process does not hold it", hint="start again with the log's new key"
    )


def _row(act: Act) -> dict[str, Any]:
    return {
        "index": act.index,
        "content": act.content,
        "details": act.details,
        "action": act.draft.action,
        "outcome": act.draft.outcome.value,
        "actor": act.signer.identity.id,
        "time": act.body["time"],
        "started": act.draft.started,
    }


def _outbox_row(act: Act, event: dict[str, Any]) -> dict[str, Any]:
    dated = event | {"eventTime": act.body["time"]} if "eventTime" in event else event
    return {"entry": act.index, "event": _event_text(dated)}


def _event_text(event: dict[str, Any]) -> str:
    try:
        return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise UsageError(f"the event of an entry cannot be written as JSON: {error}") from None
