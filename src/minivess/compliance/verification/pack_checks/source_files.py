"""The files of the source tree that a pack has: the list of all of them, and those that people wrote and approved.

`source/files.txt` is the list whose digest is the source tree that the preparation names. A file of the tree is in
`source/tree/` under its own path; one whose path cannot be the name of a file in an archive is in `source/other-names/`,
named by its digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from minivess.compliance.proofs.archive import check_name
from minivess.compliance.release.pack_files import bytes_of
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.provenance import LOCK_FILES
from minivess.records.device.source_state import SourceState
from minivess.records.log.entry import Entry, Outcome

LISTING: Final = "data/source/files.txt"
TREE: Final = "source/tree/"
OTHER_NAMES: Final = "source/other-names/"
FOLDERS: Final = ("requirements/", "risk/", "features/")
"""Folders of items and scenarios."""
_SUFFIXES = frozenset({".feature", ".txt", ".yaml"})
_POLICY = "release/policy.yaml"
_TEMPLATES = "templates"
"""The subject of an approval of `templates/documents/`."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)", re.DOTALL)


def listed_files(listing: bytes) -> dict[str, str]:
    """SHA-256 in hexadecimal by path, from the list of a source tree."""
    lines = listing.decode("utf-8", "surrogateescape").split("\n")
    found = (match for line in lines if (match := _LINE.fullmatch(line)))
    return {match[2]: match[1] for match in found}


def place_of(path: str, digest: str) -> str:
    """Where a pack has a file of the source tree, relative to `data/`.

    Args:
        path: the file, as the list names it.
        digest: its SHA-256 in hexadecimal.
    """
    try:
        check_name(f"data/{TREE}{path}")
    except InputError:
        return f"{OTHER_NAMES}{digest}"
    return f"{TREE}{path}"


@implements("REQ-625")
def needed_files(listing: Mapping[str, str], state: SourceState, entries: Iterable[Entry]) -> list[str]:
    """The files of the source tree that a pack must have, by path in order.

    They are items, scenarios, the release policy and the lock file; and each text that somebody approved in the log.

    Args:
        listing: SHA-256 by path.
        state: of the source tree.
        entries: of the log.
    """
    top = f"{state.folder}/" if state.folder else ""
    completed = (one.body for one in entries if one.body.outcome is Outcome.COMPLETED)
    subjects = {str(body.payload["subject"]) for body in completed if body.action == "trace.approve"}
    whole = tuple(f"{top}{folder}" for folder in FOLDERS)
    own = (f"{top}templates/documents/",) if _TEMPLATES in subjects else ()
    single = {f"{top}{name}" for name in (*subjects, _POLICY)}

    def is_needed(path: str) -> bool:
        if path in single or path.startswith(own):
            return True
        if path.startswith(whole):
            return PurePosixPath(path).suffix in _SUFFIXES
        return PurePosixPath(path).name in LOCK_FILES and state.environment == f"sha256:{listing[path]}"

    return sorted(filter(is_needed, listing))


@implements("REQ-625")
def check_source_files(files: Mapping[str, bytes], state: SourceState, entries: Iterable[Entry]) -> str:
    """Compare the files of the source tree in a pack with the tree that the preparation names.

    Args:
        files: of the pack.
        state: the source tree that was released.
        entries: of the log.

    Returns:
        In words what holds.

    Raises:
        VerificationError: the list is not that of the released tree; or a file is missing, or is not one of the list.
    """
    listing = listed_files(bytes_of(files, LISTING))
    held = [name for name in sorted(files) if name.startswith((f"data/{TREE}", f"data/{OTHER_NAMES}"))]
    _compare(files, held, state, entries)
    return f"{len(held)} of {len(listing)} files of the source tree, as they were released"


@implements("REQ-625", "RC-265")
def _compare(files: Mapping[str, bytes], held: Iterable[str], state: SourceState, entries: Iterable[Entry]) -> None:
    found = digest_bytes(files[LISTING])
    if found != state.tree:
        raise VerificationError(f"{LISTING} is {found}, and the release was made from {state.tree}")
    listing = listed_files(files[LISTING])
    known = {f"data/{place_of(path, digest)}": digest for path, digest in listing.items()}
    for name in held:
        if digest_bytes(files[name]) != f"sha256:{known.get(name)}":
            raise VerificationError(f"{name} is no file of the source tree that was released")
    for path in needed_files(listing, state, entries):
        name = f"data/{place_of(path, listing[path])}"
        if name not in files:
            raise VerificationError(f"{name} is missing")
