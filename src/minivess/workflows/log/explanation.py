"""One entry of the log explained: who did what, on what authority, with what, and how that is proven."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from minivess.compliance.audit.blast_radius import envelopes_of
from minivess.compliance.identity.approvals import open_approval
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.trace.entry_evidence import RECORDING, Evidence, entry_evidence
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Details, Entry, EntryBody, Outcome
from minivess.records.log.payloads.by_action import observed
from minivess.records.log.receipt import Receipt
from minivess.records.verdict import Verdict
from minivess.workflows.session.services import WorkspaceReader


@dataclass(frozen=True)
class Explained:
    """One entry with everything that makes it understandable."""

    entry: Entry
    details: Details | None
    receipt: Receipt
    authority: tuple[str, ...]
    """On what authority it was done, in sentences."""
    verdict: Verdict
    """Its form, signature and place in the log, judged now."""


@dataclass(frozen=True)
class EvidenceOfEntry:
    """The items that one entry is evidence for."""

    kinds: tuple[tuple[str, tuple[Evidence, ...]], ...] = ()
    """By the words of their kind: risks, controls and requirements, then others."""
    unknown: str = ""
    """Why they are not known; empty when they are."""


@implements("REQ-511")
def evidence_of(project: Path, body: EntryBody, *, now: datetime) -> EvidenceOfEntry:
    """The requirements, risks and other items that an entry is evidence for today.

    Only entries that recorded results, signatures or files of items are compared with the source tree; the project file is not
    read for others.

    Args:
        project: the folder of the project.
        body: the entry.
        now: the time at which justifications must still be valid.
    """
    if body.action not in RECORDING or body.outcome is not Outcome.COMPLETED:
        return EvidenceOfEntry()
    from minivess.workflows.trace.source_trees import items_with_log

    try:
        trace = items_with_log(project, now=now)
    except MinivessError as error:
        return EvidenceOfEntry(unknown=error.message)
    plurals, kinds = {row.kind: row.plural for row in trace.kinds}, {item.id: item.kind for item in trace.items}
    found: dict[str, list[Evidence]] = {}
    for one in dict(entry_evidence(trace)).get(body.index, ()):
        found.setdefault(kinds[one.item], []).append(one)
    order = sorted(found, key=lambda kind: (_FIRST.index(kind) if kind in _FIRST else len(_FIRST), kind))
    return EvidenceOfEntry(tuple((plurals[kind].lower(), tuple(found[kind])) for kind in order))


_FIRST = ("risk", "risk-control", "software-requirement")


@implements("REQ-066")
def explain(services: WorkspaceReader, index: int) -> Explained:
    """Who did what, on what authority, with what, and how that is proven.

    Raises:
        UsageError: there is no such entry.
    """
    log = services.log
    entry, receipt = log.entry(index), log.prove(index)
    register = Register.fold(log.entries(actions=REGISTER_ACTIONS))
    verdict = verify_receipt(receipt, log_key=register, actor=register)
    return Explained(entry, log.details(index), receipt, _authority(services, entry, register), verdict)


def _authority(services: WorkspaceReader, entry: Entry, register: Register) -> tuple[str, ...]:
    body = entry.body
    identity = register.key(body.key, body.index)
    tenure = register.tenures.get(body.key)
    since = "the log's own key" if tenure is None else f"whose key counts from entry {tenure.start}"
    roles = ", ".join(role.value for role in identity.roles)
    said = [f"{identity.name} ({identity.id}) acted as {roles}, {since}"]
    if tenure is not None and tenure.end is not None:
        said.append(f"this key counts no longer from entry {tenure.end} on")
    if body.started is not None:
        said.append(f"it ends what entry {body.started} announced")
    request = body.payload.get("request")
    if body.action in {"test-set.open", "evaluation"} and isinstance(request, str):
        for grant in services.log.entries(actions={"test-set.approve"}):
            if grant.body.index < body.index and grant.body.payload.get("grant", {}).get("request") == request:
                said.append(f"request {request} was approved by {grant.body.actor} at entry {grant.body.index}")
    for envelope in envelopes_of(body) if body.outcome is Outcome.COMPLETED else ():
        try:
            signed = open_approval(envelope, register, index=body.index)
        except VerificationError as error:
            said.append(f"a signature in it does not hold: {error.message}")
            continue
        said.append(
            f"{signed.printed_name} signed {timestamp(signed.time)} as {signed.role.value}, meaning {signed.meaning.value}, "
            f"under the policy {signed.policy}, on the log of {signed.head} entries"
        )
    return tuple(said)


def how_proven(explained: Explained) -> str:
    """In a sentence how the entry is proven to stand in the log."""
    head = parse_note(explained.receipt.checkpoint).checkpoint
    count = len(explained.receipt.proof)
    return (
        f"its SHA-256 leaf and {count} further hashes give the root of the {head.size} entries of {head.origin}, "
        "which the log's key signed"
    )


def what_became_of_details(explained: Explained) -> str | None:
    """Why an entry's details are not shown, if they are not."""
    body = explained.entry.body
    if explained.details is not None or body.details is None:
        return None
    return "its payload and error were erased" if observed(body.action) else "its error text was erased"
