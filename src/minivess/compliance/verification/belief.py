"""The one door for signed checkpoints from outside: of a log, a proof, a receipt, a comparison, a pack or a service's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, SignedCheckpoint, note_text, parse_note
from minivess.compliance.proofs.cosignature import LOG, Cosigned, VerifierKey, cosigners, verifier_key
from minivess.compliance.proofs.merkle import EMPTY_ROOT
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements


class Believed(NamedTuple):
    """The head of a log: its number of entries, and their Merkle root of 32 bytes."""

    size: int
    root: bytes


@dataclass(frozen=True)
class LogAtHand:
    """The log that a checkpoint must be of, and what is known of it beside the checkpoint."""

    origin: str
    size: int | None = None
    """Its number of entries, where it is the log as it is now and not an older copy."""
    roots: Mapping[int, bytes] = field(default_factory=dict)
    """Merkle roots of its first n entries, by n, computed from the entries."""
    keys: tuple[VerifierKey, ...] = ()
    """Keys that it names itself for this checkpoint, where roots that are trusted agreed to them."""


@implements("REQ-151", "RC-50")
def believe(note: str | bytes, trust: Trust, log: LogAtHand | str, *, now: float | None = None) -> Believed:
    """Decide whether a checkpoint may be believed.

    Args:
        note: the signed checkpoint, of a log of this project.
        trust: who must have signed it, who must vouch for it, and the checkpoint that is known.
        log: the log it must be of, or its origin alone.
        now: Unix seconds of one's own clock; cosignatures from more than ten minutes after it are refused.

    Returns:
        The head, which may be used from now on.

    Raises:
        InputError: the note is not UTF-8, or malformed.
        VerificationError: it is of another log, not signed by a key that is trusted for its size, not vouched for by the
            quorum of the witnesses, or it contradicts the known checkpoint.
    """
    at_hand = LogAtHand(log) if isinstance(log, str) else log
    text = note_text(note)
    signed = parse_note(text)
    head = signed.checkpoint
    if head.origin != at_hand.origin:
        raise VerificationError(f"this is a checkpoint of the log {head.origin}, not of {at_hand.origin}")
    _check_signature(signed, trust, at_hand.keys)
    if head.size == 0 and head.root != EMPTY_ROOT:
        raise VerificationError("the checkpoint has entries and says that it has none")
    _check_quorum(text, trust, now)
    known = known_head(trust, head.origin)
    if known is not None:
        _check_known(head, known, at_hand)
    return Believed(head.size, head.root)


def known_head(trust: Trust, origin: str) -> Believed | None:
    """The head that a trust file knows of a log already, or None.

    Raises:
        InputError: the known checkpoint is malformed.
        VerificationError: it is of this log, and not signed by its key.
    """
    if trust.known is None:
        return None
    signed = parse_note(trust.known)
    if signed.checkpoint.origin != origin:
        return None
    _check_signature(signed, trust, ())
    return Believed(signed.checkpoint.size, signed.checkpoint.root)


def keys_by_roots(register: Register, trust: Trust, origin: str, size: int) -> tuple[VerifierKey, ...]:
    """The key that a log names itself for its checkpoint of `size` entries, where roots that are trusted agreed to it.

    They did where they created the log and it had the key that the trust file names: every later key is theirs.

    Raises:
        VerificationError: the log has other roots now, and was created by others too.
    """
    created, roots = register.created, trust.roots
    if roots is None or created is None:
        return ()
    named = {(one.id, one.key) for one in roots.keys}
    if created.threshold >= roots.threshold and {(one.id, one.signing_key) for one in created.roots} == named:
        held = {verifier_key(origin, one.identity.signing_key, LOG) for one in register.log_keys}
        agreed = not held.isdisjoint(trust.policy.logs)
        return (verifier_key(origin, register.log_key_at(size), LOG),) if agreed else ()
    if register.threshold >= roots.threshold and {(one.id, one.signing_key) for one in register.roots} == named:
        return ()
    raise VerificationError("the roots of the log are not those you trust")


def _check_signature(signed: SignedCheckpoint, trust: Trust, more: tuple[VerifierKey, ...]) -> None:
    head = signed.checkpoint
    keys = {key.raw: key for key in (*trust.log_keys(head.origin, head.size), *more)}
    if not keys:
        raise VerificationError(f"you trust no key of the log {head.origin}")
    try:
        signed.verify_any((key.name, key.raw) for key in keys.values())
    except VerificationError as error:
        raise VerificationError(f"not signed by a log key that you trust: {error.message}") from None


def vouching(note: str, trust: Trust, *, now: float | None = None) -> dict[str, Cosigned]:
    """The witnesses that are trusted and vouch for a checkpoint, by their name in the policy.

    Raises:
        InputError: the note is malformed.
        VerificationError: a signature in the name of one is wrong, or from the future.
    """
    names = tuple(trust.policy.witnesses)
    found = cosigners(note, [trust.policy.witnesses[name] for name in names], now=now)
    return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def _check_quorum(note: str, trust: Trust, now: float | None) -> None:
    held = vouching(note, trust, now=now)
    if not trust.policy.met(held):
        raise VerificationError(
            f"{len(held)} of {len(trust.policy.witnesses)} witnesses vouch for this checkpoint, "
            "which is not the quorum you ask for"
        )


def _check_known(head: Checkpoint, known: Believed, log: LogAtHand) -> None:
    here = head.root if head.size == known.size else log.roots.get(known.size, known.root)
    if here != known.root:
        raise VerificationError(
            f"two histories: the first {known.size} entries are not those of the checkpoint that the trust file knows"
        )
    if log.size is not None and known.size > log.size:
        raise VerificationError(
            f"the log was rolled back: the trust file knows {known.size} entries, {log.size} are here: "
            f"entry {log.size} is missing"
        )
