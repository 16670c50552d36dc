"""Whether a log continues the one that an older pack holds, entry by entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minivess.compliance.changes.packed_release import CHECKPOINT, ENTRIES
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.release.pack_files import lines_of, text_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements


@implements("REQ-574", "RC-242")
def check_continues(old: Mapping[str, bytes], lines: Sequence[bytes], newer: str) -> str:
    """Compare the log of a pack with the beginning of a newer one.

    Args:
        old: the files of a pack that was verified.
        lines: the canonical bytes of each entry of the newer log, which was verified.
        newer: what to call it.

    Returns:
        In words what holds.

    Raises:
        VerificationError: the newer log is of another origin, is shorter, or has another entry; names the first.
    """
    head, before = parse_note(text_of(old, CHECKPOINT)).checkpoint, lines_of(old, ENTRIES)
    if head.size > len(lines):
        raise VerificationError(f"{newer} has {len(lines)} entries, and the older pack has {head.size}")
    for index, (one, other) in enumerate(zip(before, lines, strict=False)):
        if one != other:
            raise VerificationError(f"{newer} has another entry {index} than the older pack: its log was not continued")
    if root([leaf_hash(line) for line in lines[: head.size]]) != head.root:
        raise VerificationError(
            f"the first {head.size} entries of {newer} are not those of the older pack's checkpoint"
        )
    return (
        f"the {head.size} entries of the older pack are the first of {len(lines)} entries; none was changed or removed"
    )
