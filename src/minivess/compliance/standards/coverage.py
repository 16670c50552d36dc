"""Which clauses are met by evidence that is there, which are open, and which somebody gave a reason for.

A tool's verdict never stands in for a person's: a clause of mode `attest` is met by a signed attestation alone. Nor does a
person's word stand in for evidence that a tool can look at: an attestation helps only where no tool can tell. A
justification never makes a clause met, neither its own nor that of a gap in its evidence, and one that has expired counts
for nothing but is still shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from minivess.compliance.standards.catalogue import Catalogue, Clause, DocumentationLevel, SafetyClass
from minivess.compliance.standards.evidence_names import evidence
from minivess.foundation.choices import nearest
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.records.items.justification import Justification, applicable
from minivess.records.items.trace_data import ClauseAttestation, ClauseCoverage, Reason

Status = Literal["met", "open", "justified", "expired"]


@dataclass(frozen=True)
class Attested:
    """A signed attestation: somebody stated that a clause is met, and signed it in the log."""

    subject: str
    """The id of a row, or a clause that it is about: `IEC 62304 4.1`, `R02`, `ISO 14971 4.3`."""
    signer: str
    entry: int
    """Where in the log the signature is."""
    time: datetime

    def __str__(self) -> str:
        return f"attested by {self.signer} on {self.time.date()} (entry {self.entry})"


@dataclass(frozen=True)
class Facts:
    """What is there at the time of asking."""

    present: frozenset[str] = frozenset()
    """Names of evidence (`evidence()`)."""
    attestations: tuple[Attested, ...] = ()
    justifications: tuple[Justification, ...] = ()
    """All of them, expired ones too."""
    excused: Mapping[str, tuple[Justification, ...]] = field(default_factory=dict)
    """By name of evidence: the justified gaps without whose justification it would not be there."""
    considered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By id of a hazard of machine learning: the items of the risk file that consider it."""


@dataclass(frozen=True)
class Coverage:
    """How one clause stands."""

    clause: Clause
    status: Status
    """`expired`: open, because its justification no longer counts."""
    evidence: tuple[str, ...]
    """Evidence that is there, by name, and items that consider it."""
    missing: tuple[str, ...]
    """Evidence that is named for the clause and not there."""
    attestations: tuple[Attested, ...]
    justifications: tuple[Justification, ...]
    """Those that are about it or about gaps in its evidence, whatever the status."""
    reason: str
    """Why it has this status, where the evidence does not say so by itself."""
    next: str
    """What somebody has to do, in one sentence; empty where there is nothing to do."""

    @property
    def open(self) -> bool:
        """Whether it is open; an expired justification closes nothing."""
        return self.status in ("open", "expired")

    def to_data(self) -> ClauseCoverage:
        """The row as a trace has it; `status` is met, open or justified."""
        return ClauseCoverage(
            standard=self.clause.standard,
            clause=self.clause.label,
            id=self.clause.id,
            paraphrase=self.clause.paraphrase,
            mode=self.clause.mode,
            status="open" if self.open else self.status,
            evidence=(*self.evidence, *(str(one) for one in self.attestations)),
            missing=self.missing,
            reason=self.reason,
            next=self.next,
            attested=tuple(
                ClauseAttestation(signer=one.signer, entry=one.entry, time=timestamp(one.time))
                for one in self.attestations
            ),
            justified=tuple(
                Reason(reason=one.reason, owner=one.owner, expires=one.expires.isoformat())
                for one in self.justifications
            ),
            expired=self.status == "expired",
        )


@implements("REQ-072", "REQ-112")
def coverage(
    catalogue: Catalogue,
    facts: Facts,
    *,
    safety_class: SafetyClass,
    level: DocumentationLevel = "basic",
    today: date,
) -> tuple[Coverage, ...]:
    """Judge every row that binds, in the catalogue's order.

    Args:
        catalogue: clauses, checks or hazards.
        facts: what is there.
        safety_class: of the software (IEC 62304 4.3).
        level: documentation level of the device (FDA 2023).
        today: the day for which justifications are judged.

    Raises:
        UsageError: a name among the evidence is not known.
    """
    strange = sorted({*facts.present, *facts.excused} - evidence().keys())
    if strange:
        raise UsageError(f"there is no evidence called {strange[0]!r}", hint=nearest(strange[0], list(evidence())))
    books = _Books.of(facts, today)
    return tuple(_judge(clause, facts, books) for clause in catalogue.binding(safety_class, level))


def refuse_strangers(facts: Facts, catalogues: Iterable[Catalogue]) -> None:
    """Refuse attestations, justifications and considered hazards of something that is in no catalogue.

    Justifications of gaps are left to the traceability check, which knows the gaps.

    Raises:
        InputError: one names nothing that is known; with file and line where there is one, and the nearest name.
    """
    known = {name for one in catalogues for row in one.clauses for names in row.subjects for name in names}
    for justification in facts.justifications:
        if not justification.gap and justification.subject not in known:
            where = justification.source
            raise InputError(
                f"justifies `{justification.subject}`, which is no clause, check, hazard or gap",
                path=where.path,
                line=where.line,
                hint=nearest(justification.subject, sorted(known)),
            )
    for subject in (*(one.subject for one in facts.attestations), *facts.considered):
        if subject not in known:
            raise InputError(f"`{subject}` is in no catalogue", hint=nearest(subject, sorted(known)))


def nothing_open(covered: Iterable[Coverage]) -> bool:
    """Whether nothing is open: every row is met or has a justification that counts."""
    return not any(row.open for row in covered)


def summary(covered: Iterable[Coverage]) -> dict[str, Any]:
    """Counts by status and the ids of the open rows.

    `expired` rows are among the open ones; `partly` counts met rows of which a tool saw only a part and nobody attested
    the rest.
    """
    rows = tuple(covered)
    counts = Counter(row.status for row in rows)
    return {
        "met": counts["met"],
        "partly": sum(1 for row in rows if _partly(row.clause, row.status, row.attestations)),
        "justified": counts["justified"],
        "open": counts["open"] + counts["expired"],
        "expired": counts["expired"],
        "open_clauses": [row.clause.id for row in rows if row.open],
    }


@dataclass(frozen=True)
class _Books:
    """What is present today, and attestations and justifications by subject."""

    present: frozenset[str]
    attested: Mapping[str, Attested]
    valid: Mapping[str, Justification]
    all: Mapping[str, Justification]

    @classmethod
    def of(cls, facts: Facts, today: date) -> _Books:
        valid, expired = applicable(facts.justifications, today)
        lapsed = {name for name, gaps in facts.excused.items() if not all(one.counts(today) for one in gaps)}
        return cls(
            present=facts.present - lapsed,
            attested={one.subject: one for one in sorted(facts.attestations, key=lambda one: one.entry)},
            valid=_longest(valid),
            all=_longest((*expired, *valid)),
        )


def _longest(justifications: tuple[Justification, ...]) -> dict[str, Justification]:
    return {one.subject: one for one in sorted(justifications, key=lambda one: one.expires)}


def _about[T](clause: Clause, found: Mapping[str, T]) -> tuple[T, ...]:
    """What is said about a clause by its own id, or about every one of the clauses it is about."""
    for names in clause.subjects:
        if all(name in found for name in names):
            return tuple(found[name] for name in names)
    return ()


def _judge(clause: Clause, facts: Facts, books: _Books) -> Coverage:
    items = facts.considered.get(clause.id, ()) if clause.mode == "item" else ()
    there = tuple(name for name in clause.evidence if name in books.present)
    missing = tuple(name for name in clause.evidence if name not in books.present)
    attestations = _about(clause, books.attested)
    own = _about(clause, books.valid)
    expired = () if own else _about(clause, books.all)
    excuses = tuple(dict.fromkeys(one for name in there for one in facts.excused.get(name, ())))

    status: Status = "open"
    about = own or expired
    if _met(clause, items, missing, attested=bool(attestations)):
        status = "justified" if excuses else "met"
        about = excuses or about
    elif own:
        status = "justified"
    elif expired:
        status = "expired"
    return Coverage(
        clause=clause,
        status=status,
        evidence=(*there, *items),
        missing=missing,
        attestations=attestations,
        justifications=about,
        reason=_reason(clause, status, missing, attestations, about),
        next=_next(clause, missing, about, status),
    )


def _met(clause: Clause, items: tuple[str, ...], missing: tuple[str, ...], *, attested: bool) -> bool:
    if clause.mode == "item":
        return bool(items)
    if clause.mode == "attest" or not clause.evidence:
        return attested
    return not missing or (attested and _untellable(missing))


def _untellable(missing: tuple[str, ...]) -> bool:
    """Whether nothing in this project could tell if what is missing were there."""
    return all(evidence()[name].found_in == "planned" for name in missing)


def _partly(clause: Clause, status: Status, attestations: tuple[Attested, ...]) -> bool:
    return status == "met" and clause.mode == "partial" and not attestations


def _reason(
    clause: Clause,
    status: Status,
    missing: tuple[str, ...],
    attestations: tuple[Attested, ...],
    justifications: tuple[Justification, ...],
) -> str:
    given = "; ".join(_stated(clause, one) for one in justifications)
    if status == "met":
        said = (
            ["met as far as a tool can check; a person must judge the rest"]
            if _partly(clause, status, attestations)
            else []
        )
        said += [f"attested, as no tool can check it: {', '.join(missing)}"] if missing else []
        said += [f"a justification is no longer needed: {given}"] if given else []
        return "; ".join(said)
    if status == "justified":
        return given
    if clause.mode == "item":
        lack = "no hazard of the risk file considers it"
    elif clause.mode == "attest":
        lack = "it has not been attested"
    elif missing:
        lack = f"missing evidence: {', '.join(missing)}"
    else:
        lack = "there is no evidence in this project and no attestation"
    return f"its justification has expired: {given}; {lack}" if status == "expired" else lack


def _stated(clause: Clause, justification: Justification) -> str:
    """A justification in words; one of something else than the clause itself says of what."""
    stated = f"{justification.reason} ({justification.owner}, until {justification.expires})"
    return stated if justification.subject == clause.id else f"{justification.subject}: {stated}"


def _next(clause: Clause, missing: tuple[str, ...], justifications: tuple[Justification, ...], status: Status) -> str:
    if status == "met":
        return f"Remove the justification of {justifications[0].subject}." if justifications else ""
    if status == "justified":
        last = min(one.expires for one in justifications)
        return f"Close the gap, or renew the justification, by {last}."
    if clause.mode == "item":
        return f"Name {clause.id} in a hazard of the risk file, or justify why it does not apply."
    if clause.mode == "attest":
        return f"Ask the responsible person to attest {clause.id} and sign."
    if not missing:
        return f"Have {clause.id} attested and signed, or justify why it does not apply."
    collected = [name for name in missing if evidence()[name].found_in != "planned"]
    step = evidence()[(collected or list(missing))[0]].next
    return (
        step
        if collected
        else f"{step.removesuffix('.')}; then have {clause.id} attested and signed, as no tool can check it."
    )
