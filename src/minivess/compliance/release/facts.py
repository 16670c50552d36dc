"""The facts of a release, derived from the entries of its log and the files of its pack, and from nothing else.

`facts_of_release` is the one judgement of a release: `release build` asks it before a pack is written, and both verifiers
derive the same facts from a pack. `templates/verify/verify.py` has a writing of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minivess.compliance.release.chain import JudgedChain, judge_chain
from minivess.compliance.release.derivation import DerivedRelease, Statement, check_derived
from minivess.compliance.release.layout import check_files
from minivess.foundation.implements import implements
from minivess.records.device.preparation import ReleasePrepared, Tool
from minivess.records.device.project import Device
from minivess.records.log.entry import Entry


@dataclass(frozen=True)
class FactsOfRelease:
    """What a release is, what it rests on, and the files that were compared with that."""

    prepared: ReleasePrepared
    """What the last entry of the log says."""
    chain: JudgedChain
    """The entries it rests on, with what they say."""
    origin: str
    """Of the log."""
    size: int
    """Number of entries before the preparation."""
    files: str
    """In words, how the files hold."""
    derived: DerivedRelease
    """Figures, criteria, gates and the signing text."""

    @property
    def device(self) -> Device:
        """The device that is released."""
        return self.prepared.device

    @property
    def tool(self) -> Tool:
        """What made the pack."""
        return self.prepared.tool

    @property
    def layout(self) -> int:
        """The layout of the pack."""
        return self.prepared.layout


def statement_of(prepared: ReleasePrepared) -> Statement:
    """What the preparation of a release states, as far as the signing text needs it."""
    return Statement(prepared.device, environment=prepared.environment, sbom=prepared.sbom, state=prepared.source)


@implements("REQ-229", "RC-96", "RC-97")
def facts_of_release(entries: Sequence[Entry], files: Mapping[str, bytes]) -> FactsOfRelease:
    """Derive the facts of a release.

    Args:
        entries: the log of a pack, each entry judged already (`verification.log.verify_entries`).
        files: content by name, with `data/`.

    Raises:
        VerificationError: the pack is no release, or something does not hold; names the first entry or file, with both
            sides.
    """
    prepared, chain = judge_chain(entries)
    held = check_files(files, prepared, chain)
    return FactsOfRelease(
        prepared=prepared,
        chain=chain,
        origin=entries[0].body.log,
        size=len(entries) - 1,
        files=held,
        derived=check_derived(files, chain.known, chain, statement_of(prepared)),
    )
