"""Judging an evidence pack, offline: archive, bag, log, layout, proofs, provenance, test-set conduct and signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.release.chain import JudgedChain, judge_chain
from minivess.compliance.release.derivation import (
    DerivedRelease,
    Statement,
    check_gates,
    check_policy_file,
    check_signing_text,
    check_source,
    derive,
)
from minivess.compliance.release.facts import statement_of
from minivess.compliance.release.layout import check_files
from minivess.compliance.release.pack_files import lines_of, text_of
from minivess.compliance.rules.standing import Standing
from minivess.compliance.verification.bag import check_bag, read_pack
from minivess.compliance.verification.conduct import check_event_runs, check_odometer, check_openings, check_provenance
from minivess.compliance.verification.holders import check_holders
from minivess.compliance.verification.log import verify_entries
from minivess.compliance.verification.look_times import look_times_in_words
from minivess.compliance.verification.pack_checks.identities import check_identities
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT, check_proofs
from minivess.compliance.verification.pack_checks.layout import FIRST, NEWEST, UNCHECKED, check_layout, layout_of
from minivess.compliance.verification.pack_checks.lineage import check_lineage
from minivess.compliance.verification.pack_checks.log_tables import check_log_tables
from minivess.compliance.verification.pack_checks.previous_release import check_previous
from minivess.compliance.verification.pack_checks.soup import check_soup
from minivess.compliance.verification.pack_checks.source_files import check_source_files
from minivess.compliance.verification.signatures import SignedPack, check_signatures, prepared_release
from minivess.compliance.verification.trust import Trust, read_trust
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.preparation import ReleasePrepared
from minivess.records.log.entry import Entry
from minivess.records.verdict import OWN_KEYS, Check, Verdict

ENTRIES, DETAILS = "data/audit/entries.jsonl", "data/audit/details.jsonl"
SIGNATURES_CHECK = "release signatures"
"""Name of the check that fails on a pack that waits for its signatures."""


@implements("REQ-038", "REQ-151", "REQ-152", "REQ-221", "RC-13")
def verify_pack(path: Path, *, trust: Path | None = None) -> Verdict:
    """Judge a pack.

    Args:
        path: the zip, or a folder it was unpacked to.
        trust: a trust file (`verification.trust`). Without it the pack is judged against its own keys alone, and the
            verdict says `trusted=False`. With one that names no release rules the verdict is LIMITED.

    Returns:
        The checks in order. It is VERIFIED when all passed and none was left out; the first failure names what is wrong.

    Raises:
        InputError: the path is no zip and no folder, is too large, or the trust file is malformed.
    """
    trusted = None if trust is None else read_trust(trust)
    try:
        files, container = read_pack(path)
    except VerificationError as error:
        return _verdict(path.name, [_failed("archive", error)], trusted)
    return judge_files(files, subject=path.name, container=container, trusted=trusted)


@dataclass(frozen=True)
class _Pack:
    """A pack whose log holds, and what the verifier knows."""

    files: Mapping[str, bytes]
    lines: Sequence[bytes]
    """The canonical bytes of each entry."""
    checkpoint: str
    entries: Sequence[Entry]
    standing: Standing
    trusted: Trust | None
    layout: int

    @property
    def register(self) -> Register:
        """The people of the log."""
        return self.standing.register

    @cached_property
    def release(self) -> tuple[ReleasePrepared, JudgedChain]:
        """What the last entry of the log says, and the entries that it rests on.

        Raises:
            VerificationError: the log does not end with the preparation of a release, or an entry does not fit.
        """
        return judge_chain(self.entries)

    @cached_property
    def statement(self) -> Statement:
        """What the preparation states, for the signing text."""
        return statement_of(self.release[0])

    @cached_property
    def derived(self) -> DerivedRelease:
        """Figures, gates and signing text, derived again.

        Raises:
            VerificationError: a file is malformed, or a figure differs.
        """
        return derive(self.files, self.release[1].known, self.release[1], self.statement)


class _Row(NamedTuple):
    """A check of a pack whose log holds."""

    name: str
    first: int
    last: int
    """The layouts of packs that it is for."""
    judge: Callable[[_Pack], str]
    needs: str | None = None
    """The check that must have passed; otherwise there is nothing to judge."""


def _check_made(pack: _Pack) -> str:
    """The provenance of layout 1; later layouts have a check of their own for lineage."""
    found = check_provenance(pack.files, pack.entries)
    check_event_runs(pack.files, pack.entries)
    return found


def _check_results(pack: _Pack) -> str:
    found = check_provenance(pack.files, pack.entries)
    return f"{found}; {check_identities(pack.files, pack.register, pack.entries[0].body.log)}"


def _check_chain(pack: _Pack) -> str:
    prepared, chain = pack.release
    device, entries = prepared.device, len(set(prepared.chain.references()))
    return f"{device.name} {device.version} with model {chain.model} rests on {entries} entries, which fit each other"


def _check_figures(pack: _Pack) -> str:
    evaluation = pack.derived.evaluation
    return (
        f"{len(evaluation.aggregates)} measures of {len(evaluation.tested)} cases follow from the counts of each case"
    )


def _check_gates(pack: _Pack) -> str:
    return f"{check_policy_file(pack.files, pack.release[1])}; {check_gates(pack.files, pack.derived)}"


def _check_source_files(pack: _Pack) -> str:
    return check_source_files(pack.files, pack.statement.state, pack.entries)


def _check_previous(pack: _Pack) -> str:
    return check_previous(pack.files, pack.lines, pack.register, pack.trusted)


def _check_conduct(pack: _Pack) -> str:
    return check_odometer(pack.files, check_openings(pack.entries, pack.register))


def _check_signed(pack: _Pack) -> str:
    head = parse_note(pack.checkpoint).checkpoint
    prepared = None if pack.layout == FIRST else prepared_release(pack.entries)
    signed = check_signatures(SignedPack(pack.files, pack.register, head, pack.trusted, prepared))
    return signed + check_holders(pack.files, pack.checkpoint, pack.standing)


_ROWS = (
    _Row("layout", FIRST, NEWEST, lambda pack: check_layout(pack.layout, pack.standing.rules, pack.trusted)),
    _Row("chain", NEWEST, NEWEST, _check_chain),
    _Row("files", NEWEST, NEWEST, lambda pack: check_files(pack.files, *pack.release), "chain"),
    _Row("source", NEWEST, NEWEST, lambda pack: check_source(pack.files, pack.statement.state), "files"),
    _Row("source files", NEWEST, NEWEST, _check_source_files, "files"),
    _Row("log tables", NEWEST, NEWEST, lambda pack: check_log_tables(pack.files, pack.entries, pack.register), "files"),
    _Row("soup", NEWEST, NEWEST, lambda pack: check_soup(pack.files, pack.statement.device), "source"),
    _Row("figures", NEWEST, NEWEST, _check_figures, "source"),
    _Row("gates", NEWEST, NEWEST, _check_gates, "figures"),
    _Row("signing text", NEWEST, NEWEST, lambda pack: check_signing_text(pack.files, pack.derived), "gates"),
    _Row("proofs", FIRST, NEWEST, lambda pack: check_proofs(pack.files, pack.lines, pack.register, pack.trusted)),
    _Row("previous release", NEWEST, NEWEST, _check_previous),
    _Row("provenance", FIRST, FIRST, _check_made),
    _Row("provenance", NEWEST, NEWEST, _check_results),
    _Row("lineage", NEWEST, NEWEST, lambda pack: check_lineage(pack.files, pack.entries)),
    _Row("test-set odometer", FIRST, NEWEST, _check_conduct),
    _Row("look times", FIRST, NEWEST, lambda pack: look_times_in_words(pack.entries, pack.trusted, lines=pack.lines)),
    _Row(SIGNATURES_CHECK, FIRST, NEWEST, _check_signed),
)
"""The checks after those of archive, bag and log, in order."""


def judge_files(files: Mapping[str, bytes], *, subject: str, container: str, trusted: Trust | None) -> Verdict:
    """Judge the files of a pack that was read already.

    Args:
        files: content by name.
        subject: what to call the pack.
        container: what reading it found out, in words.
        trusted: the verifier's own keys.
    """
    checks = [
        Check(name="archive", passed=True, detail=container),
        _check("bag", lambda: check_bag(files)),
    ]
    try:
        lines = lines_of(files, ENTRIES)
        details = [None if line == b"null" else line for line in lines_of(files, DETAILS)]
        checkpoint = text_of(files, CHECKPOINT)
    except VerificationError as error:
        return _verdict(subject, [*checks, _failed("log entries", error)], trusted)
    log_checks, standing, entries = verify_entries(
        zip(lines, chain(details, repeat(None)), strict=False),
        checkpoint,
        trust=trusted,
    )
    checks += log_checks
    if len(details) != len(lines):
        words = f"{DETAILS} has {len(details)} lines for {len(lines)} entries"
        checks.append(Check(name="log details", passed=False, detail=words))
    if not all(check.passed for check in log_checks):
        return _verdict(subject, checks, trusted)
    try:
        layout = layout_of(entries)
    except VerificationError as error:
        return _verdict(subject, [*checks, _failed("layout", error)], trusted)
    pack = _Pack(files, lines, checkpoint, entries, standing, trusted, layout)
    passed: set[str | None] = {None}
    for row in _ROWS:
        if row.first <= layout <= row.last and row.needs in passed:
            checks.append(_check(row.name, partial(row.judge, pack)))
            passed |= {row.name} if checks[-1].passed else set()
    reasons = pack.statement.not_releasable if "chain" in passed else ()
    waived = pack.derived.waived if "gates" in passed else ()
    return _verdict(
        subject, checks, trusted, layout=layout, unchecked=UNCHECKED[layout], not_releasable=reasons, waived=waived
    )


def _verdict(
    subject: str,
    checks: Sequence[Check],
    trusted: Trust | None,
    *,
    layout: int | None = None,
    unchecked: tuple[str, ...] = (),
    not_releasable: tuple[str, ...] = (),
    waived: tuple[str, ...] = (),
) -> Verdict:
    passed = all(check.passed for check in checks)
    return Verdict(
        subject=subject,
        checks=tuple(checks),
        trusted=trusted is not None and passed,
        trust=OWN_KEYS if trusted is None else trusted.source,
        layout=layout,
        unchecked=unchecked,
        limits=() if trusted is None else trusted.limits,
        not_releasable=not_releasable,
        waived=waived,
    )


def _check(name: str, judge: Callable[[], str]) -> Check:
    try:
        return Check(name=name, passed=True, detail=judge())
    except MinivessError as error:
        return _failed(name, error)


def _failed(name: str, error: MinivessError) -> Check:
    return Check(name=name, passed=False, detail=error.message)
