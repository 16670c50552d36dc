"""The verdict on a pack beside an older pack and beside a newer state of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minivess.compliance.changes.continuation import check_continues
from minivess.compliance.changes.differences import difference_of
from minivess.compliance.changes.packed_release import DETAILS, ENTRIES, PackedRelease
from minivess.compliance.changes.revocations import Revocation, revocations
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.release.pack_files import lines_of, record_of, text_of
from minivess.compliance.verification.bag import TAG_MANIFEST, read_pack
from minivess.compliance.verification.log import verify_entries
from minivess.compliance.verification.pack import judge_files
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT
from minivess.compliance.verification.trust import Trust, read_trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.changes.difference import ReleaseDifference
from minivess.records.log.entry import Entry
from minivess.records.verdict import Check, Verdict
from minivess.workflows.session.services import open_reader

CHANGES = "data/release/changes.json"
PREVIOUS, GROWTH, STATED, NEWER = "previous pack", "log growth", "stated differences", "newer log"


@dataclass(frozen=True)
class _NewerLog:
    name: str
    lines: Sequence[bytes]
    entries: Sequence[Entry]


@implements("REQ-574", "REQ-575")
def beside(
    verdict: Verdict, pack: Path, *, trust: Path | None, previous: Path | None = None, newer: Path | None = None
) -> Verdict:
    """A verdict with the checks that an older pack and a newer log allow.

    Args:
        verdict: on the pack alone.
        pack: the zip, or a folder it was unpacked to.
        trust: the trust file that it was verified with.
        previous: an older pack of the same log: it must hold too, and the log of the pack must continue its log.
        newer: a newer pack, or a project folder with the log: it must continue the log of the pack, and is asked whether
            it revokes the pack.

    Raises:
        InputError: a path is no pack, or the trust file is malformed.
    """
    if not _readable(verdict):
        return verdict
    trusted = None if trust is None else read_trust(trust)
    files, _ = read_pack(pack)
    checks, revoked = list(verdict.checks), list[Revocation]()
    if previous is not None:
        checks += _previous_checks(files, previous, trusted)
    if newer is not None:
        try:
            log = _newer_log(newer, trusted)
            words = check_continues(files, log.lines, log.name)
        except VerificationError as error:
            checks.append(Check(name=NEWER, passed=False, detail=error.message))
        else:
            revoked += revocations(log.entries, digest_bytes(files[TAG_MANIFEST]))
            checks.append(Check(name=NEWER, passed=True, detail=f"{words}; {_revoked_in_words(len(revoked))}"))
    trusts = verdict.trusted and all(one.passed for one in checks)
    return verdict.model_copy(
        update={"checks": tuple(checks), "trusted": trusts, "revoked": tuple(one.words for one in revoked)}
    )


def _readable(verdict: Verdict) -> bool:
    """Whether bag and log of the pack hold, so that there is something to compare."""
    failure = verdict.first_failure
    return failure is None or not failure.name.startswith(("archive", "bag", "log "))


def _previous_checks(files: dict[str, bytes], previous: Path, trusted: Trust | None) -> list[Check]:
    """The older pack, the growth of the log, and the differences that the pack states."""
    older, container = read_pack(previous)
    judged = judge_files(older, subject=previous.name, container=container, trusted=trusted)
    failure = judged.first_failure
    if failure is not None:
        return [Check(name=PREVIOUS, passed=False, detail=f"{previous.name}: {failure.name}: {failure.detail}")]
    return [
        Check(name=PREVIOUS, passed=True, detail=f"{previous.name}: {judged.state.value}{_later(files, older)}"),
        _check(GROWTH, lambda: check_continues(older, lines_of(files, ENTRIES), "the log of the pack")),
        *([_check(STATED, lambda: _check_stated(files, older))] if CHANGES in files else []),
    ]


def _later(files: dict[str, bytes], older: dict[str, bytes]) -> str:
    """Whether the log of a pack revokes an older one."""
    found = revocations(PackedRelease.of_files(files).entries, digest_bytes(older[TAG_MANIFEST]))
    return "".join(f"; REVOKED: {one.words}" for one in found)


@implements("REQ-574")
def _check_stated(files: dict[str, bytes], older: dict[str, bytes]) -> str:
    """Derive the differences again that a pack states."""
    stated = record_of(files, CHANGES, ReleaseDifference)
    digest = digest_bytes(older[TAG_MANIFEST])
    if stated.old.pack != digest:
        return f"not derived again: they are from the pack {stated.old.pack}, and this one is {digest}"
    made = difference_of(PackedRelease.of_files(older), PackedRelease.of_files(files))
    if (made.sections, made.measures) != (stated.sections, stated.measures):
        names = [one.name for one, other in zip(made.sections, stated.sections, strict=False) if one != other]
        raise VerificationError(
            f"{CHANGES} states other differences from the older pack: {', '.join(names) or 'measures'}"
        )
    return f"the differences in {CHANGES} follow from both packs"


def _newer_log(place: Path, trusted: Trust | None) -> _NewerLog:
    """The log of a newer pack or of a project, judged whole.

    Raises:
        VerificationError: it does not hold.
        InputError, UsageError: there is none.
    """
    if place.is_dir() and Workspace(place).project_file.is_file():
        with open_reader(place) as reader:
            pairs, note = list(reader.log.pairs()), reader.log.checkpoint()
        name = "the log of the project"
    else:
        files, _ = read_pack(place)
        details = [None if line == b"null" else line for line in lines_of(files, DETAILS)]
        pairs, note = list(zip(lines_of(files, ENTRIES), details, strict=True)), text_of(files, CHECKPOINT)
        name = f"the log of {place.name}"
    checks, _, entries = verify_entries(pairs, note, trust=trusted)
    failure = next((one for one in checks if not one.passed), None)
    if failure is not None:
        raise VerificationError(f"{name} does not hold: {failure.name}: {failure.detail}")
    if parse_note(note).checkpoint.size != len(pairs):
        raise VerificationError(f"{name} has {len(pairs)} entries, and its checkpoint covers others")
    return _NewerLog(name, [line for line, _ in pairs], entries)


def _revoked_in_words(count: int) -> str:
    return (
        f"{count} of its entries revoke{'s' if count == 1 else ''} this release"
        if count
        else "none revokes this release"
    )


def _check(name: str, judge: Callable[[], str]) -> Check:
    try:
        return Check(name=name, passed=True, detail=judge())
    except MinivessError as error:
        return Check(name=name, passed=False, detail=error.message)
