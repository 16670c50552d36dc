"""The inclusion proofs of a pack, and the checkpoints in it beside that of its log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.merkle import leaf_hash, root, verify_inclusion
from minivess.compliance.proofs.tlog_proof import parse_proof
from minivess.compliance.release.pack_files import text_of
from minivess.compliance.verification.belief import Believed, LogAtHand, believe, keys_by_roots
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements

CHECKPOINT = "data/audit/checkpoint.txt"
PROOFS = "data/audit/proofs/"
_PROOF = re.compile(r"data/audit/proofs/(0|[1-9][0-9]{0,15})\.tlog-proof", re.ASCII)


@implements("REQ-038", "RC-13")
def check_proofs(files: Mapping[str, bytes], lines: Sequence[bytes], register: Register, trusted: Trust | None) -> str:
    """Judge each inclusion proof; returns in words what holds.

    Args:
        files: of the pack.
        lines: the canonical bytes of each entry of its log.
        register: the people of the log.
        trusted: the verifier's own keys.

    Raises:
        VerificationError: there is no proof, or one does not hold; names it.
    """
    names = [name for name in sorted(files) if name.startswith(PROOFS)]
    if not names:
        raise VerificationError(f"no inclusion proof in {PROOFS}")
    checkpoint, leaves = text_of(files, CHECKPOINT), [leaf_hash(line) for line in lines]
    head = parse_note(checkpoint).checkpoint
    for name in names:
        match = _PROOF.fullmatch(name)
        index = int(match[1]) if match else len(lines)
        if index >= len(lines):
            raise VerificationError(f"{name} is a proof of no entry of this log")
        try:
            proof = parse_proof(text_of(files, name))
            if proof.index != index or proof.extra is not None:
                raise VerificationError("it is for another entry than its name says, or carries extra data")
            believed = Believed(head.size, head.root)
            if proof.checkpoint != checkpoint:  # that one was judged with the log
                believed = believe_earlier(proof.checkpoint, head.origin, leaves, register, trusted)
            verify_inclusion(leaves[index], index, believed.size, proof.hashes, believed.root)
        except MinivessError as error:
            raise VerificationError(f"{name}: {error.message}") from None
    return f"{len(names)} inclusion proofs lead to a signed checkpoint"


@implements("REQ-151", "RC-50")
def believe_earlier(
    note: str, origin: str, leaves: Sequence[bytes], register: Register, trusted: Trust | None
) -> Believed:
    """Judge a checkpoint that a pack holds beside that of its log: it must be of a beginning of the same log.

    Args:
        note: the checkpoint.
        origin: of the log.
        leaves: the leaf hash of each entry in the pack.
        register: the people of the log.
        trusted: the verifier's own keys, with the witnesses that are required.

    Raises:
        InputError, VerificationError: as `believe`; or it is of another history, or of more entries than are here.
    """
    believed = believe_too(note, origin, leaves, register, trusted)
    if believed.size > len(leaves):
        raise VerificationError(f"its checkpoint covers {believed.size} entries, and the pack has {len(leaves)}")
    if believed.root != root(leaves[: believed.size]):
        raise VerificationError(f"two histories: its checkpoint is not of the first {believed.size} entries of the log")
    return believed


@implements("REQ-151", "RC-50")
def believe_too(note: str, origin: str, leaves: Sequence[bytes], register: Register, trusted: Trust | None) -> Believed:
    """Judge any other checkpoint in a pack, a later one too, by the rules for that of its log.

    That it continues the log in the pack has to be proved apart.

    Raises:
        InputError, VerificationError: as `believe`.
    """
    believed = believe(note, Trust.of_register(register), origin)
    if trusted is None:
        return believed
    keys = keys_by_roots(register, trusted, origin, believed.size)
    return believe(note, trusted, LogAtHand(origin, roots=_roots(leaves, origin, trusted), keys=keys))


def _roots(leaves: Sequence[bytes], origin: str, trusted: Trust) -> dict[int, bytes]:
    """The root of the entries that the checkpoint which the trust file knows covers, where they are all here."""
    if trusted.known is None:
        return {}
    known = parse_note(trusted.known).checkpoint
    return {known.size: root(leaves[: known.size])} if known.origin == origin and known.size <= len(leaves) else {}
