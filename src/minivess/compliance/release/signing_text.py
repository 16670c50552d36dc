"""The signing text of a release: what a person reads before they sign, and what every verifier derives again.

A plain text of a fixed grammar. It follows from the facts of the release alone: no page, message or title of the pack has a
part in it. `templates/verify/verify.py` derives it in its own writing, and both are compared byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from minivess.compliance.release.chain import JudgedChain
from minivess.compliance.release.earlier_entries import EarlierEntries, LookEntries, TrainingRun, payload_of
from minivess.compliance.release.figures import look_numbers
from minivess.compliance.release.gates import counts_of
from minivess.compliance.rules.look_facts import criteria_digest
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.attested import Attested
from minivess.records.device.gate_outcomes import GateOutcome, number_text
from minivess.records.device.preparation import LAYOUT
from minivess.records.device.project import Device
from minivess.records.device.release import GateFacts
from minivess.records.evaluation.acceptance_criteria import Judgement
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.statistics.summaries import Interval, percent
from minivess.records.lengths import LengthUnit
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.looks import CriteriaRegistered, LookRequested
from minivess.records.log.payloads.models import Disposition
from minivess.records.log.witnessed import TimeAttested

SIGNING_TEXT = "data/signing-text.txt"
LONGEST = 200
"""Characters of a line; of a longer one the first 197 are shown, and three dots."""
UNKNOWN = "unknown"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")
"""Characters that would change how a line reads: control characters, invisible ones, line and paragraph separators,
directions of writing, and halves of surrogate pairs."""
_UNIT_WORDS: Mapping[LengthUnit, str] = {"um": "micrometres", "mm": "millimetres", "px": "pixels"}
DIGESTS = (
    "model",
    "calibration",
    "evaluation",
    "request",
    "criteria",
    "plan",
    "policy",
    "seal",
    "results",
    "sbom",
    "environment",
    "source",
)
"""The digests at the end of the text, in its order."""


@dataclass(frozen=True)
class SigningFacts:
    """What the signing text is derived from."""

    device: Device
    entries: Sequence[Entry] | EarlierEntries
    """The log before the release was prepared."""
    chain: JudgedChain
    facts: GateFacts
    """What the gates were judged by; its evaluation has the figures that follow from the counts."""
    gates: tuple[GateOutcome, ...]
    criteria: tuple[Judgement, ...]
    """The registered acceptance criteria, judged."""
    attested: Attested
    not_releasable: tuple[str, ...]
    """Why the state of the source tree allows no release; empty when it does."""
    digests: Mapping[str, str]
    """By the names of `DIGESTS`."""

    @cached_property
    def known(self) -> EarlierEntries:
        """The bodies of the log."""
        return EarlierEntries.of(self.entries)


@implements("REQ-233", "REQ-513", "REQ-514", "RC-99")
def signing_text(facts: SigningFacts) -> bytes:
    """The text, in UTF-8, each line with a newline.

    Raises:
        VerificationError: a fact that every release has is missing; names it.
    """
    return "".join(f"{_line(line)}\n" for line in _lines(facts)).encode("utf-8")


def _line(text: str) -> str:
    shown = _CONTROL.sub("?", text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."


def _lines(facts: SigningFacts) -> Iterator[str]:
    yield f"MiniVess signing text, layout {LAYOUT}"
    yield f"Device: {facts.device.name} {facts.device.version}"
    yield f"Manufacturer: {facts.device.manufacturer}"
    yield f"Safety class: {facts.device.safety_class}"
    yield f"Log: {facts.known.bodies[0].log}"
    yield from (f"NOT RELEASABLE: {reason}" for reason in facts.not_releasable)
    yield ""
    yield from _gates(facts.gates)
    yield from (f"Limit of {gate.id}: {gate.reason}" for gate in facts.chain.policy.gates if gate.reason)
    yield from _evaluation(facts)
    yield from _criteria(facts)
    yield from _looks(facts.chain)
    yield from _runs(facts.chain)
    yield from _risks(facts.facts)
    yield f"Open clauses (attested): {len(facts.attested.open_clauses)}"
    for row in facts.attested.counted or ():
        yield f"Counted (attested): {len(row.offenders)} of {row.of} {row.kind} {row.about}"
    yield f"Open gaps (attested): {len(facts.attested.gaps)}; justified: {len(facts.attested.justified)}"
    yield f"Known anomalies (attested): {len(facts.attested.anomalies)}"
    yield from (f"Anomaly {one.id} (attested): {one.title}" for one in facts.attested.anomalies)
    yield from (f"Condition of {line.id} (attested): {line.text}" for line in facts.attested.conditions)
    for count in facts.attested.reviews:
        yield f"Links with a signed review (attested): {count.signed} of {count.links}"
    yield from _waivers(facts)
    yield from _times(facts)
    yield "Digests"
    yield from (f"{name} {facts.digests[name]}" for name in DIGESTS)


@implements("REQ-552")
def _waivers(facts: SigningFacts) -> Iterator[str]:
    """How many gates are waived, and for each who signed what."""
    by_gate = {one.gate: one for one in facts.facts.waivers}
    waived = [by_gate[one.id] for one in facts.gates if one.waived is not None]
    yield f"Waivers: {len(waived) or 'none'}"
    for one in waived:
        yield (
            f"Waiver of {one.gate} (entry {one.entry}): signed by {one.signer}, owner {one.owner}, {one.risk}, until "
            f"{timestamp(one.until)}: {one.reason}"
        )


def _gates(gates: Sequence[GateOutcome]) -> Iterator[str]:
    yield f"Gates: {sum(one.passed for one in gates)} of {len(gates)} pass"
    for one in gates:
        mark = "ok" if one.passed else "FAIL" if one.waived is None else "WAIVED"
        yield (
            f"{mark} {one.id} ({one.kind}, {one.basis}): {one.value or UNKNOWN}, "
            f"{one.comparison} {one.limit}, margin {one.margin or UNKNOWN}"
        )


def _evaluation(facts: SigningFacts) -> Iterator[str]:
    record = _evaluated(facts)
    total = UNKNOWN if record.looks is None else record.looks
    mode = facts.chain.grant.mode or "opened"
    yield f"Evaluation: look {record.look} of {total}, {mode}, intervals of level {percent(record.level)}{_unit(record)}"
    rows = (
        (of_class, name, interval)
        for of_class, figures in sorted(record.by_class.items(), key=lambda pair: pair[0] or "")
        for name, interval in sorted(figures.aggregates.items())
    )
    for of_class, name, interval in rows:
        cases = [case for case in record.cases if case.of_class == of_class]
        groups = len({case.group for case in cases if case.values.get(name, 0.0) is not None})
        title = name if of_class is None else f"{name} of {of_class}"
        yield (
            f"{title}: mean {number_text(interval.mean)}, interval {_number(interval.lower)} to "
            f"{_number(interval.upper)}, {interval.n} cases, {interval.groups or groups} groups{_method(interval)}"
        )


@implements("REQ-323")
def _unit(record: EvaluationRecord) -> str:
    """The unit of distances; empty in records of before, whose names state it."""
    unit = record.conventions.unit
    return "" if unit is None else f", distances in {_UNIT_WORDS[unit]}"


def _method(interval: Interval) -> str:
    """The method of an interval and how often it covers; empty in records that name no method."""
    shown = "" if interval.method is None or interval.upper is None else f", {interval.method}"
    shown += "" if interval.coverage is None else f", coverage {number_text(interval.coverage)}"
    if (other := interval.beside) is not None:
        shown += f", {other.method} {number_text(other.lower)} to {number_text(other.upper)}"
        shown += "" if other.coverage is None else f", coverage {number_text(other.coverage)}"
    return shown


def _criteria(facts: SigningFacts) -> Iterator[str]:
    index = facts.chain.bodies["criteria"].index
    yield f"Criteria registered at entry {index}"
    for one in facts.criteria:
        yield f"{_criterion(one.criterion)}: {_number(one.value)}, {'met' if one.met else 'not met'}"
    for body in facts.known.completed("criteria.register", before=index):
        before = payload_of(body, CriteriaRegistered).criteria
        if criteria_digest(before) != facts.chain.request.criteria:
            yield f"Criteria before, entry {body.index}: {'; '.join(map(_criterion, before))}"


def _criterion(one: Criterion) -> str:
    limits = (("at least", one.at_least), ("at most", one.at_most))
    stated = [f"{side} {number_text(limit)}" for side, limit in limits if limit is not None]
    return f"{one.named}: {' '.join(stated)}"


def _looks(chain: JudgedChain) -> Iterator[str]:
    numbers = look_numbers(chain)
    yield f"Looks in the log: {len(chain.looks)}"
    for look in chain.looks:
        yield _look(look, numbers.get(look.grant.request))


def _look(look: LookEntries, number: int | None) -> str:
    asked = None if look.request is None else payload_of(look.request, LookRequested).request
    release, requester = (UNKNOWN, UNKNOWN) if asked is None else (asked.release, asked.requester)
    result = "no result" if look.evaluation is None else f"evaluated at entry {look.evaluation.index}"
    return (
        f"look {UNKNOWN if number is None else number} (entry {look.approval.index}): {look.grant.request} for release "
        f"{release}, requested by {requester}, approved by {look.grant.approver}, {look.grant.mode or 'opened'}, {result}"
    )


def _runs(chain: JudgedChain) -> Iterator[str]:
    ended = [run for run in chain.runs if run.ended is not None and run.outcome is not Outcome.REFUSED]
    yield f"Training runs: {len(ended)}"
    for run in ended:
        yield f"run entry {run.ended.index if run.ended else run.begun}: {_account(run, chain.bodies['ensemble'])}"


def _account(run: TrainingRun, ensemble: EntryBody) -> str:
    if run.in_ensemble(ensemble):
        return "member"
    if run.disposition is not None:
        said = payload_of(run.disposition, Disposition)
        return f"{said.verdict}: {said.reason}"
    return "failed" if run.outcome is Outcome.FAILED else "no disposition"


def _risks(facts: GateFacts) -> Iterator[str]:
    counts = counts_of(facts)
    if facts.risks is None or counts is None:
        raise VerificationError("a release needs its risks, its results and its trace")
    yield "Residual risk: " + ", ".join(f"{count} {level}" for level, count in facts.risks.counts().items())
    yield "Not acceptable: " + (", ".join(one.id for one in facts.risks.unacceptable()) or "none")
    yield "Counts: " + ", ".join(f"{count} {name}" for name, count in counts.items())


class TimeEvidence(NamedTuple):
    """When a phase of a release was there, and what shows it."""

    phase: str
    entry: int
    time: str
    witness: int | None
    """The entry that attests the time; None: the machine's own time alone."""


def time_evidence(chain: JudgedChain, log: Sequence[EntryBody]) -> tuple[TimeEvidence, ...]:
    """The times of criteria, approval and result.

    Args:
        chain: the entries that the release rests on.
        log: the bodies of the log before the release was prepared.
    """
    bodies = chain.bodies
    phases = (
        ("criteria", "criteria", bodies["request"].index),
        ("approval", "approval", bodies["evaluation"].index),
        ("result", "evaluation", len(log)),
    )
    return tuple(
        TimeEvidence(
            name, bodies[role].index, timestamp(bodies[role].time), _attestation(log, bodies[role].index, before)
        )
        for name, role, before in phases
    )


def _times(facts: SigningFacts) -> Iterator[str]:
    for one in time_evidence(facts.chain, facts.known.bodies):
        whose = "the machine's own time" if one.witness is None else f"attested at entry {one.witness}"
        yield f"Time of {one.phase}: entry {one.entry}, {one.time}, {whose}"


def _attestation(log: Sequence[EntryBody], index: int, before: int) -> int | None:
    """The first entry before another that attests the time of a checkpoint which covers the entry at `index`."""
    for body in log[index + 1 : before]:
        attests = body.action == "time.attested" and body.outcome is Outcome.COMPLETED
        if attests and payload_of(body, TimeAttested).size > index:
            return body.index
    return None


def _evaluated(facts: SigningFacts) -> EvaluationRecord:
    if facts.facts.evaluation is None:
        raise VerificationError("a release needs its evaluation")
    return facts.facts.evaluation


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else number_text(value)
