"""How a witness judges what it is asked (C2SP tlog-witness), and how anybody judges two views of one log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import AddCheckpoint, VerifierKey
from minivess.compliance.proofs.merkle import EMPTY_ROOT, verify_consistency
from minivess.compliance.verification.belief import believe
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import CouldNotCheckError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.people.identity import PublicKey

OK, FORBIDDEN, UNKNOWN, CONFLICT, UNPROVEN, MALFORMED = 200, 403, 404, 409, 422, 400


@dataclass(frozen=True)
class Seen:
    """The newest head a witness vouched for."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True)
class Decision:
    """An HTTP status, and the head that is seen from now on when it is 200."""

    status: int
    seen: Seen
    why: str = ""


@implements("REQ-054", "REQ-055", "REQ-154", "RC-16")
def judge_request(
    request: AddCheckpoint, logs: Mapping[str, Sequence[VerifierKey]], seen: Mapping[str, Seen]
) -> Decision:
    """Decide whether to vouch for a checkpoint, in the order of tlog-witness.

    Args:
        request: what is asked.
        logs: verifier keys of the logs that are served, by origin; a log that changes its key has several.
        seen: what was vouched for, by origin.

    Returns:
        404 for an unknown origin, 403 without a good signature of a known key or with a wrong one, 400 for an old size
        beyond the checkpoint, 409 for another old size than the one seen last, 422 for roots or a proof that do not fit.
    """
    signed = parse_note(request.note, foreign=True)
    head = signed.checkpoint
    known = seen.get(head.origin, Seen())
    keys = logs.get(head.origin)
    if not keys:
        return Decision(UNKNOWN, known, "this witness does not serve that log")
    try:
        signed.verify_any((key.name, key.raw) for key in keys)
    except VerificationError as error:
        return Decision(FORBIDDEN, known, error.message)
    if request.old > head.size:
        return Decision(MALFORMED, known, "the old size is beyond the checkpoint")
    if request.old != known.size:
        return Decision(CONFLICT, known, "another head was seen last")
    try:
        verify_consistency(known.size, head.size, request.proof, known.root, head.root)
    except VerificationError as error:
        return Decision(UNPROVEN, known, error.message)
    return Decision(OK, Seen(head.size, head.root))


@implements("REQ-055", "REQ-151", "RC-16", "RC-50")
def compare_views(
    first: str | bytes, second: str | bytes, trust: Trust | PublicKey, proof: Sequence[bytes] | None = None
) -> str:
    """Whether two signed checkpoints of one log can both be its history; returns in words that they can.

    Args:
        first: a checkpoint.
        second: another of the same log.
        trust: what both must be believed by, or the log's key alone.
        proof: the consistency proof from the smaller to the larger, which only the log can give.

    Raises:
        VerificationError: they cannot, and both notes together prove it; or the proof does not hold; or one is not the
            log's.
        InputError: one is not UTF-8, or malformed.
        CouldNotCheckError: they are of two sizes, and no proof was given.
    """
    origins = [parse_note(note).checkpoint.origin for note in (first, second)]
    if origins[0] != origins[1]:
        raise VerificationError(f"these are checkpoints of two logs, {origins[0]} and {origins[1]}")
    known = Trust.of_key(trust) if isinstance(trust, PublicKey) else trust
    one, other = (believe(note, known, origins[0]) for note in (first, second))
    if not one.size or not other.size:
        raise CouldNotCheckError("a checkpoint covers 0 entries, so that there is nothing to compare")
    if one.size == other.size:
        if one.root != other.root:
            raise VerificationError(
                f"split view: the log's key signed two different histories of {one.size} entries; "
                "both checkpoints together prove it"
            )
        return f"both are the same {one.size} entries"
    old, new = sorted((one, other), key=lambda head: head.size)
    if proof is None:
        raise CouldNotCheckError(
            f"without a proof it is unknown whether the history of {new.size} entries continues that of {old.size}",
            hint="ask the log for a consistency proof; if it has none, this is a split view",
        )
    try:
        verify_consistency(old.size, new.size, proof, old.root, new.root)
    except VerificationError:
        raise VerificationError(
            f"the proof does not show that the history of {new.size} entries continues that of {old.size}: "
            "if the log has no other, this is a split view"
        ) from None
    return f"the history of {new.size} entries continues that of {old.size}"
