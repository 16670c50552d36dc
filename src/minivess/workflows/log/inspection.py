"""Examining the log: its caches, a drill on a copy, what relied on a key; and erasing what must go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from minivess.compliance.audit.blast_radius import BlastRadius, blast_radius, resolve_key
from minivess.compliance.audit.rebuild import Rebuilt
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.timestamp import Timestamped, imprint_of, stamped_imprint, verify_timestamp
from minivess.compliance.verification.drill_cases.stand_ins import with_stand_ins
from minivess.compliance.verification.drill_cases.tampering import DRILLED, Case, tamper
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.log_entries import Pair
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.observability.lineage.entry_events import event_of
from minivess.observability.lineage.events import without_details
from minivess.records.log.payloads.identities import EntryErased
from minivess.records.log.receipt import Receipt
from minivess.records.verdict import Check
from minivess.workflows.log.time_attestations import record_timestamp
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader


@implements("REQ-141")
def compare_caches(services: WorkspaceReader, progress: Callable[[int], None] = lambda _: None) -> Rebuilt:
    """Compare columns, nodes, checkpoints and the outbox with what the entries say.

    Raises:
        VerificationError: the entries are not those that the newest checkpoint signs.
    """
    return services.log.compare(progress, events=event_of)


def check_caches(services: WorkspaceReader) -> list[Check]:
    """`compare_caches` as lines of a verdict: one that holds, or one for each difference."""
    name = "log caches"
    try:
        found = compare_caches(services)
    except VerificationError as error:
        return [Check(name=name, passed=False, detail=error.message)]
    words = [*found.differences, *found.left]
    if not words:
        what = f"the tables beside {found.entries} entries hold what the entries say"
        return [Check(name=name, passed=True, detail=what)]
    if found.count > len(words):
        words.append(f"and {found.count - len(words)} more")
    words[-1] += "; `minivess audit rebuild` derives the tables again"
    return [Check(name=name, passed=False, detail=detail) for detail in words]


@implements("REQ-141")
def rebuild_caches(services: Services, progress: Callable[[int], None] = lambda _: None) -> Rebuilt:
    """Derive columns, nodes and the outbox from the entries again; missing events are delivered again.

    Raises:
        VerificationError: the entries are not those that the newest checkpoint signs; nothing is changed.
    """
    return services.log.rebuild(progress, events=event_of)


@implements("REQ-062", "RC-18")
def erase(services: Services, signer: Signer, index: int, reason: str) -> Receipt:
    """Delete the details of an entry, and what lineage repeats of them; the entry that says so is signed by `signer`.

    Raises:
        UsageError: there is no such entry.
        RefusedError: it has no details (any more), or the signer is neither a root nor a release manager.
    """
    entry = services.log.entry(index)
    if entry.body.details is None:
        what = "is in the entry itself, and the log's state is derived from it" if entry.body.payload else "is empty"
        raise RefusedError(f"entry {index} has no details to erase: its payload {what}")
    payload = EntryErased(entry=index, reason=reason)
    with recorded(services, "entry.erased", signer, instant=True, redact=without_details) as record:
        record.payload(**payload.model_dump(mode="json"))
    services.relay.redact(str(entry.body.context.openlineage_run), without_details)
    return record.receipt


@implements("REQ-151", "RC-50")
def require_trusted(services: WorkspaceReader, trust: Trust) -> None:
    """Go on only with a log that a trust file vouches for: its key, its roots, its witnesses and what is known of it.

    Raises:
        VerificationError: the log breaks a rule, or is not the one that is trusted.
    """
    checks, _ = verify_log(services.log.pairs(), services.log.checkpoint(), trust=trust, quick=True)
    for check in checks:
        if not check.passed:
            raise VerificationError(f"the log of this workspace does not verify with the trust file: {check.detail}")


@implements("REQ-065")
def drill(services: WorkspaceReader) -> list[Case]:
    """Tamper with a copy of the beginning of the log, and judge each copy; nothing of the log itself is touched.

    Every key of the copy is a throw-away one, so that the drill can play somebody who holds the log's key, and needs no
    passphrase.

    Raises:
        UsageError: the log has too few entries, or its beginning does not verify as it is.
    """
    pairs, note = _beginning(services)
    register = Register.fold(services.log.entries(actions=REGISTER_ACTIONS))
    checks, _ = verify_log(pairs, note, trust=register.log_key_at(len(pairs)))
    if not all(check.passed for check in checks):
        raise UsageError("the log does not verify as it is", hint="`minivess audit verify` names the entry")
    copied, log_signer = with_stand_ins(pairs)
    return tamper(copied, services.log.origin, log_signer)


def _beginning(services: WorkspaceReader) -> tuple[tuple[Pair, ...], str]:
    """The first entries of the log, at most `DRILLED`, and a checkpoint over exactly these."""
    for size in range(min(DRILLED, services.log.size), 2, -1):
        with suppress(VerificationError):
            return tuple(islice(services.log.pairs(), size)), services.log.checkpoint(size)
    raise UsageError(f"a drill needs a log with a checkpoint of 3 to {DRILLED} entries")


@implements("REQ-059")
def reliance_on(services: WorkspaceReader, key: str) -> BlastRadius:
    """Every entry and release that relied on a key.

    Args:
        services: the workspace.
        key: a key id, its beginning, or an identity's id.

    Raises:
        UsageError: no such key.
    """
    register = Register.fold(services.log.entries(actions=REGISTER_ACTIONS))
    return blast_radius(services.log.entries(), resolve_key(register, key), register)


@implements("REQ-056")
def accept_timestamp(services: Services, response: bytes, roots: bytes) -> tuple[int, Timestamped]:
    """Verify an authority's response and keep it with the checkpoint it is for; returns that checkpoint's size.

    Raises:
        InputError, VerificationError, UsageError: as `verify_timestamp`, or it is for no checkpoint of this log.
    """
    imprint = stamped_imprint(response)
    found = next(((size, note) for size, note in services.log.notes() if imprint_of(note) == imprint), None)
    if found is None:
        raise VerificationError("the timestamp is for no checkpoint of this log")
    size, note = found
    stamped = verify_timestamp(note, response, roots)
    services.log.keep_timestamp(size, response)
    record_timestamp(services, size, response)
    return size, stamped
