"""Judging a log: form, order, payloads, signatures under the register at each index, and the signed Merkle root."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from minivess.compliance.identity.keys import verify
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import canonical, parse_canonical
from minivess.compliance.proofs.checkpoint import SignedCheckpoint, parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.foundation.errors import InputError, MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.entry import Entry, Outcome
from minivess.records.identity import PublicKey
from minivess.records.payloads import check_payload
from minivess.records.verdict import Check

MAX_ENTRY = 1 << 20
"""Bytes of one entry."""
ENTRIES, SIGNATURES, CHECKPOINT, ROOT = "log entries", "log signatures", "log checkpoint", "log completeness"


@implements("REQ-002", "RC-06")
def verify_entries(
    lines: Iterable[bytes], checkpoint: str, *, trusted_log_key: PublicKey | None = None
) -> tuple[list[Check], Register, list[Entry]]:
    """Judge a whole log.

    Args:
        lines: the canonical bytes of each entry, in order, without line ends.
        checkpoint: the signed note that must cover exactly these entries.
        trusted_log_key: the key the verifier knows from elsewhere; without it the log's own first entry is believed.

    Returns:
        The checks in order (the first that fails names the first bad entry by its index), the register after the last
        good entry, and the good entries. Judgement stops at the first bad entry.
    """
    register, entries, frontier = Register(), list[Entry](), Frontier()
    try:
        note = parse_note(checkpoint)
    except InputError as error:
        return [_no(CHECKPOINT, error)], register, entries
    origin = note.checkpoint.origin
    for line in lines:
        try:
            entry = read_entry(line, frontier.size)
            _check_form(entry, entries, origin)
        except MinivessError as error:
            return [_no(ENTRIES, error)], register, entries
        try:
            register = _admit(entry, register)
        except MinivessError as error:
            return (
                [Check(name=ENTRIES, passed=True, detail="well formed so far"), _no(SIGNATURES, error)],
                register,
                entries,
            )
        entries.append(entry)
        frontier.append(leaf_hash(line))
    if not entries:
        return [Check(name=ENTRIES, passed=False, detail="the log is empty")], register, entries
    count = len(entries)
    checks = [
        Check(
            name=ENTRIES, passed=True, detail=f"{count} entries of {origin} in canonical form, in order, none missing"
        ),
        Check(name=SIGNATURES, passed=True, detail=f"{count} entries signed by keys that counted at their index"),
    ]
    return [*checks, *_check_head(note, register, frontier, trusted_log_key)], register, entries


def read_entry(line: bytes, index: int) -> Entry:
    """One entry from its canonical bytes, refusing every other spelling of the same entry.

    Raises:
        VerificationError: not canonical, not an entry, or not what the record writes back.
    """
    try:
        entry = Entry.model_validate(parse_canonical(line, limit=MAX_ENTRY))
    except InputError as error:
        raise VerificationError(f"entry {index}: {error.message}") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise VerificationError(f"entry {index} is not an audit entry: see its {where or 'fields'}") from None
    if canonical(entry) != line:
        raise VerificationError(f"entry {index} is written in another way than the log writes entries")
    return entry


def check_signature(entry: Entry, key: PublicKey) -> None:
    """Check the actor's signature over the canonical body.

    Raises:
        VerificationError: it is wrong.
    """
    try:
        verify(key, canonical(entry.body), from_base64(entry.signature))
    except MinivessError:
        body = entry.body
        raise VerificationError(
            f"entry {body.index} ({body.action}) was changed, or was not signed by {body.actor}"
        ) from None


def _check_form(entry: Entry, earlier: list[Entry], origin: str) -> None:
    body, expected = entry.body, len(earlier)
    if body.index != expected:
        what = f"entry {expected} is missing: entry {body.index} stands in its place"
        raise VerificationError(
            what if body.index > expected else f"entry {body.index} stands a second time at {expected}"
        )
    if body.log != origin:
        raise VerificationError(f"entry {expected} belongs to the log {body.log}, not to {origin}")
    if earlier and body.time < earlier[-1].body.time:
        raise VerificationError(f"entry {expected} is dated before the entry that precedes it")
    if body.started is not None:
        start = earlier[body.started].body if body.started < expected else None
        if start is None or start.action != body.action or start.outcome is not Outcome.STARTED:
            raise VerificationError(
                f"entry {expected} claims to end entry {body.started}, which started nothing of the kind"
            )
    try:
        check_payload(body.action, body.payload, complete=body.outcome is Outcome.COMPLETED)
    except MinivessError as error:
        raise VerificationError(f"entry {expected}: {error.message}") from None


def _admit(entry: Entry, register: Register) -> Register:
    """Signature under the register as it was before (entry 0 brings its own), then the register after."""
    body = entry.body
    if body.index == 0 and (body.action != "log.created" or body.outcome is not Outcome.COMPLETED):
        raise VerificationError("entry 0 does not create the log")
    after = register.extend(entry)
    try:
        actor = (after if body.index == 0 else register).key(body.key, body.index)
    except VerificationError as error:
        raise VerificationError(f"entry {body.index} ({body.action}): {error.message}") from None
    if actor.id != body.actor:
        raise VerificationError(f"entry {body.index}: the key is that of {actor.id}, not of {body.actor}")
    check_signature(entry, actor.signing_key)
    return after


def _check_head(
    note: SignedCheckpoint, register: Register, frontier: Frontier, trusted: PublicKey | None
) -> list[Check]:
    checkpoint = note.checkpoint
    try:
        if trusted is not None and trusted != register.log_key:
            raise VerificationError("the log names another log key than the one you trust")
        note.verify(checkpoint.origin, register.log_key)
    except MinivessError as error:
        return [_no(CHECKPOINT, error)]
    checks = [Check(name=CHECKPOINT, passed=True, detail=f"signed by the key of {checkpoint.origin}")]
    if checkpoint.size != frontier.size:
        first = min(checkpoint.size, frontier.size)
        state = "is missing" if frontier.size < checkpoint.size else "was added after it"
        detail = f"the checkpoint covers {checkpoint.size} entries, {frontier.size} are here: entry {first} {state}"
        return [*checks, Check(name=ROOT, passed=False, detail=detail)]
    if checkpoint.root != frontier.root():
        detail = "the Merkle root of the entries is not the one in the checkpoint: an entry was replaced"
        return [*checks, Check(name=ROOT, passed=False, detail=detail)]
    return [
        *checks,
        Check(name=ROOT, passed=True, detail=f"the Merkle root of {frontier.size} entries is the signed one"),
    ]


def _no(name: str, error: MinivessError) -> Check:
    return Check(name=name, passed=False, detail=error.message)
