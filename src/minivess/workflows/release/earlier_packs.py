"""The packs of earlier releases in a workspace, of which the newest one's checkpoint goes into the next pack."""

from __future__ import annotations

import zipfile
from pathlib import Path

from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.merkle import leaf_hash
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT, believe_earlier
from minivess.foundation.errors import InputError, MinivessError, RefusedError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace

_LIMIT = 1 << 20
"""Bytes of a checkpoint."""


@implements("REQ-629", "RC-267")
def earlier_checkpoint(workspace: Workspace, log: LogFacts) -> str | None:
    """The checkpoint in the newest pack of this log, as a signed note; None where the workspace has no such pack.

    Packs of other logs do not count.

    Raises:
        RefusedError: the log does not continue the checkpoint of such a pack, or a pack cannot be read; names it.
    """
    found: list[tuple[int, str]] = []
    leaves = [leaf_hash(line) for line in log.lines]
    for path in sorted((workspace.root / "release").glob("*/*-evidence.zip")):
        shown = workspace.name(path)
        try:
            note = _note_of(path)
            if parse_note(note).checkpoint.origin != log.checkpoint.origin:
                continue
            size = believe_earlier(note, log.checkpoint.origin, leaves, log.register, None).size
        except MinivessError as error:
            raise RefusedError(
                f"the log does not continue the one in {shown}: {error.message}",
                hint="`minivess audit compare` shows which log is the older one; a damaged pack is taken from its archive",
            ) from None
        found.append((size, note))
    return max(found)[1] if found else None


def _note_of(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as pack:
            if pack.getinfo(CHECKPOINT).file_size > _LIMIT:
                raise InputError("its checkpoint is too long")
            return pack.read(CHECKPOINT).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, OSError):
        raise InputError("it is no evidence pack") from None
