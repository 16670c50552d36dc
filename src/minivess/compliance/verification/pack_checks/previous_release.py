"""The checkpoint of the release before, and the proof that the log of this release continues it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import AddCheckpoint
from minivess.compliance.proofs.merkle import consistency_proof, leaf_hash, tree_of
from minivess.compliance.release.pack_files import text_of
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT, believe_earlier
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements

PREVIOUS = "data/audit/previous/checkpoint.txt"
CONSISTENCY = "data/audit/previous/consistency.txt"


@implements("REQ-629")
def continued(note: str, lines: Sequence[bytes], checkpoint: str) -> dict[str, bytes]:
    """The two files of a pack, by name relative to `data/`.

    The proof has the form in which witnesses take it (C2SP tlog-witness, `add-checkpoint`): the size of the earlier checkpoint,
    the hashes of RFC 6962 section 2.1.2, and the checkpoint of this pack.

    Args:
        note: the checkpoint in the pack of the release before; it was judged.
        lines: the canonical bytes of each entry of the log in this pack.
        checkpoint: of this pack.
    """
    size = parse_note(note).checkpoint.size
    proof = consistency_proof(tree_of([leaf_hash(line) for line in lines]), size, len(lines))
    text = AddCheckpoint(size, proof, checkpoint).text()
    return {
        PREVIOUS.removeprefix("data/"): note.encode("utf-8"),
        CONSISTENCY.removeprefix("data/"): text.encode("utf-8"),
    }


@implements("REQ-629")
def check_previous(
    files: Mapping[str, bytes], lines: Sequence[bytes], register: Register, trusted: Trust | None
) -> str:
    """Judge the checkpoint of the release before, where a pack has one; returns in words what holds.

    Args:
        files: of the pack.
        lines: the canonical bytes of each entry of its log.
        register: the people of the log.
        trusted: the verifier's own keys.

    Raises:
        VerificationError: the log does not continue that checkpoint, or the proof is another one.
    """
    if PREVIOUS not in files and CONSISTENCY not in files:
        return "the pack names 0 earlier releases of its log"
    note = text_of(files, PREVIOUS)
    _check_continued(note, files, lines, register, trusted)
    return f"the log continues the {parse_note(note).checkpoint.size} entries of the release before"


@implements("REQ-629", "RC-267")
def _check_continued(
    note: str, files: Mapping[str, bytes], lines: Sequence[bytes], register: Register, trusted: Trust | None
) -> None:
    try:
        origin = parse_note(text_of(files, CHECKPOINT)).checkpoint.origin
        believe_earlier(note, origin, [leaf_hash(line) for line in lines], register, trusted)
    except MinivessError as error:
        raise VerificationError(f"{PREVIOUS}: {error.message}") from None
    made = continued(note, lines, text_of(files, CHECKPOINT))[CONSISTENCY.removeprefix("data/")]
    if files.get(CONSISTENCY) != made:
        raise VerificationError(f"{CONSISTENCY} is not the proof from this checkpoint to that of the pack")
