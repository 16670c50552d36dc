"""What differs between two packs, with what the verification of each came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minivess.compliance.changes.differences import difference_of
from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.documents.difference_page import difference_page
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.identity.register import Register
from minivess.compliance.verification.bag import read_pack
from minivess.compliance.verification.pack import judge_files
from minivess.compliance.verification.trust import Trust, read_trust
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import templates_folder
from minivess.records.changes.difference import ReleaseDifference
from minivess.records.verdict import OWN_KEYS, WITH_OWN_KEYS, Verdict


@dataclass(frozen=True)
class ReadPack:
    """A pack that was read and verified."""

    release: PackedRelease
    verdict: Verdict

    @property
    def words(self) -> str:
        """What its verification came to, with the first check that failed, and whether its own keys were used."""
        failure = self.verdict.first_failure
        if failure is not None:
            return f"{self.verdict.state.value}: {failure.name}"
        return f"{self.verdict.state.value}{WITH_OWN_KEYS if self.verdict.trust == OWN_KEYS else ''}"


@implements("REQ-570")
def compare_packs(old: Path, new: Path, *, trust: Path | None = None) -> tuple[ReleaseDifference, bool]:
    """Compare two packs, signed or not.

    Args:
        old: the earlier one: a zip, or a folder that it was unpacked to.
        new: the later one.
        trust: a trust file to verify both with; None: each is verified with its own keys.

    Returns:
        What differs, and whether a pack is of a demonstration.

    Raises:
        InputError: a path is no pack, or the trust file is malformed.
    """
    trusted = None if trust is None else read_trust(trust)
    first, second = (open_pack(path, trusted) for path in (old, new))
    demo = any(Register.fold(one.release.entries).demo for one in (first, second))
    found = difference_of(first.release, second.release, verdicts=(first.words, second.words))
    return found, demo


def open_pack(path: Path, trusted: Trust | None) -> ReadPack:
    """Read a pack and verify it.

    Raises:
        InputError: it is no pack.
    """
    try:
        files, container = read_pack(path)
        release = PackedRelease.of_files(files)
    except VerificationError as error:
        raise InputError(
            f"cannot be read as a pack: {error.message}",
            path=path,
            hint="`minivess release verify` names what is wrong",
        ) from None
    return ReadPack(release, judge_files(files, subject=path.name, container=container, trusted=trusted))


@implements("REQ-572")
def write_page(found: ReleaseDifference, out: Path, *, demo: bool) -> None:
    """Write the differences as a page that opens from a disk.

    Raises:
        CouldNotCheckError: it cannot be written.
    """
    write_text_atomic(out, difference_page(Renderer(templates_folder()), found, demo=demo))
