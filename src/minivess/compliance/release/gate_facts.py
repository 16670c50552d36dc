"""The facts that the gates judge, from the entries of a log and the files of a release.

`facts_in` puts them together from records, `read_gate_facts` from the files of a pack. A build and a verifier judge the same
facts with the same function.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ValidationError

from minivess.compliance.release.earlier_entries import EarlierEntries, payload_of, unaccounted_runs
from minivess.compliance.release.gating.gate_figures import hours_since_witness, unapproved
from minivess.compliance.release.gating.waivers import waivers_for
from minivess.compliance.release.lineage_events import EVENTS, entries_without_event, expected_event
from minivess.compliance.release.pack_files import EXPORT, export_of, json_of, record_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.split import SplitManifest
from minivess.records.device.attested import Approvable, Attested, Counted
from minivess.records.device.release import GateFacts, Waiver
from minivess.records.device.source_state import SourceState
from minivess.records.evaluation.acceptance_criteria import Judgement, judge
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.residual_risks import ResidualRisks
from minivess.records.items.trace import ResultReport
from minivess.records.log.entry import Entry
from minivess.records.log.payloads.looks import CriteriaRegistered
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.start import StartRecord

EVALUATION = "data/evaluation/evaluation.json"
MEMBERS, MANIFEST, SPLIT = "data/models/members/", "data/datasets/manifest.json", "data/datasets/split.json"
RESULTS, TRACE = "data/verification/results.json", "data/traceability/data/trace.json"
RISKS, ATTESTED, GATES = "data/release/risks.json", "data/release/attested.json", "data/release/gates.json"
REQUIREMENT = "software-requirement"
"""What a trace calls the items that the gate `counts` counts."""


@dataclass(frozen=True)
class ReleaseRecords:
    """What the files of a release say. A record that is missing is None, and every gate that needs it fails."""

    evaluation: EvaluationRecord | None = None
    export: ExportRecord | None = None
    members: int | None = None
    """How many members the ensemble has."""
    starts: tuple[StartRecord, ...] = ()
    """The weights that members started from, of those that did not start from their seed."""
    report: ResultReport | None = None
    risks: ResidualRisks | None = None
    requirements: int | None = None
    """How many requirements the trace has."""
    gaps: tuple[str, ...] | None = None
    """Open gaps, each in a sentence."""
    justified: tuple[str, ...] = ()
    chapters: tuple[str, ...] | None = None
    """Chapters of documents that are owed and not written."""
    counted: tuple[Counted, ...] | None = None
    approvable: tuple[Approvable, ...] | None = None
    events: bytes | None = None
    """Lineage events, one JSON object a line."""
    source: SourceState | None = None
    """The state of the source tree, which the preparation states."""
    version: str | None = None
    """Of the device that is released; without it no waiver counts."""
    now: datetime | None = None
    """The time at which waivers must count; without it that of the last entry."""


@implements("REQ-230")
def facts_in(records: ReleaseRecords, entries: Sequence[Entry] | EarlierEntries) -> GateFacts:
    """The facts of a release.

    Args:
        records: what its files say.
        entries: the log from its first entry on, before the release is prepared.

    Raises:
        VerificationError: a line of the lineage is no event.
    """
    known, evaluation = EarlierEntries.of(entries), records.evaluation
    judged = None if evaluation is None else judge_registered(known, evaluation)
    return GateFacts.model_construct(
        evaluation=evaluation,
        unmet=None if judged is None else tuple(_shortfall(one) for one in judged if not one.met),
        registered=None if judged is None else len(judged),
        export=records.export,
        members=records.members,
        starts=records.starts,
        gaps=records.gaps,
        justified=records.justified,
        chapters=records.chapters,
        counted=records.counted,
        approvable=None if records.approvable is None else len(records.approvable),
        unapproved=None if records.approvable is None else unapproved(records.approvable, known),
        witnessed=hours_since_witness(known),
        waivers=_waivers(records, known),
        risks=records.risks,
        openings=known.history.openings,
        undisposed=unaccounted_runs(known),
        runs=len(known.runs),
        undelivered=None if records.events is None else entries_without_event(known.bodies, records.events),
        lineage_runs=sum(expected_event(body) is not None for body in known.bodies),
        report=records.report,
        requirements=records.requirements,
        source=records.source,
    )


def _waivers(records: ReleaseRecords, known: EarlierEntries) -> tuple[Waiver, ...]:
    if records.version is None or records.risks is None:
        return ()
    return waivers_for(known, records.version, {one.id for one in records.risks.risks}, records.now)


@implements("REQ-021")
def judge_registered(known: EarlierEntries, evaluation: EvaluationRecord) -> tuple[Judgement, ...] | None:
    """An evaluation by the criteria that were registered before its request; None when the log has no such request."""
    requested = known.history.requests.get(evaluation.request)
    if requested is None or requested.request.criteria not in known.history.criteria:
        return None
    registered = payload_of(known.bodies[known.history.criteria[requested.request.criteria]], CriteriaRegistered)
    return tuple(judge(evaluation, registered.criteria))


@implements("REQ-230")
def read_gate_facts(
    files: Mapping[str, bytes],
    entries: Sequence[Entry] | EarlierEntries,
    evaluation: EvaluationRecord | None = None,
    source: SourceState | None = None,
    version: str | None = None,
) -> GateFacts:
    """The facts of a pack.

    Args:
        files: of the pack, by name.
        entries: its log before `release.prepare`.
        evaluation: the one of the pack with its figures computed again; without it the figures of the file are judged.
        source: the state of the source tree, which the preparation states.
        version: of the device that is released; without it no waiver counts.

    Raises:
        VerificationError: a file is malformed; names it.
    """
    attested = _record(files, ATTESTED, Attested)
    members = sorted(name for name in files if name.startswith(MEMBERS))
    refuse_trials(files, members)
    return facts_in(
        ReleaseRecords(
            evaluation=_record(files, EVALUATION, EvaluationRecord) if evaluation is None else evaluation,
            export=export_of(files) if EXPORT in files else None,
            members=len(members),
            starts=starts_in(files, members),
            report=_record(files, RESULTS, ResultReport),
            risks=_record(files, RISKS, ResidualRisks),
            requirements=_requirements(files),
            gaps=None if attested is None else tuple(one.message for one in attested.gaps),
            justified=() if attested is None else tuple(f"{one.message} ({one.remark})" for one in attested.justified),
            chapters=None if attested is None else attested.missing_chapters,
            counted=None if attested is None else attested.counted,
            approvable=None if attested is None else attested.approvable,
            events=files.get(EVENTS),
            source=source,
            version=version,
        ),
        entries,
    )


@implements("REQ-330", "RC-140")
def starts_in(files: Mapping[str, bytes], members: Sequence[str]) -> tuple[StartRecord, ...]:
    """The weights that members started from, of those that did not start from their seed.

    Args:
        files: of the pack, by name.
        members: the names of the run records of the members.

    Raises:
        VerificationError: a file is malformed.
    """
    found = []
    for name in members:
        run = json_of(files, name)
        start = run.get("start") if isinstance(run, dict) else None
        if start is None:
            continue
        try:
            found.append(StartRecord.model_validate_json(json.dumps(start), strict=True))
        except ValidationError as error:
            raise VerificationError(f"{name}: {first_error(error, whole='start')}") from None
    return tuple(found)


@implements("REQ-361", "RC-149")
def refuse_trials(files: Mapping[str, bytes], members: Sequence[str]) -> None:
    """Refuse members of trial runs (`minivess train --smoke`), which trained on a few patches.

    Args:
        files: of the pack, by name.
        members: the names of the run records of the members.

    Raises:
        VerificationError: names the file.
    """
    for name in members:
        run = json_of(files, name)
        if isinstance(run, dict) and run.get("smoke", False) is not False:
            raise VerificationError(f"{name} is a trial run, which is never released")


@implements("REQ-331", "RC-139")
def check_starts(files: Mapping[str, bytes], starts: Sequence[StartRecord]) -> None:
    """Refuse weights that have seen the image or the mask of a test or calibration case.

    Raises:
        VerificationError: names the cases.
    """
    seen = {digest for start in starts for one in start.trained_on.sets for digest in one.digests}
    if not seen:
        return
    split = record_of(files, SPLIT, SplitManifest)
    kept, cases = frozenset((*split.test, *split.calibration)), record_of(files, MANIFEST, DatasetManifest).cases
    held = [one.id for one in cases if one.id in kept and seen & {one.image, one.label}]
    if held:
        raise VerificationError(
            f"a member started from weights that have seen {', '.join(held)} of the test or calibration part"
        )


def _record[R: BaseModel](files: Mapping[str, bytes], name: str, kind: type[R]) -> R | None:
    """The record in a file of a pack; None when there is no such file."""
    return record_of(files, name, kind) if name in files else None


def _requirements(files: Mapping[str, bytes]) -> int | None:
    if TRACE not in files:
        return None
    items = json_of(files, TRACE)
    items = items.get("items") if isinstance(items, dict) else None
    if not isinstance(items, list) or not all(
        isinstance(one, dict) and isinstance(one.get("kind"), str) for one in items
    ):
        raise VerificationError(f"{TRACE} is not a trace")
    return len([one for one in items if one["kind"] == REQUIREMENT])


def _shortfall(outcome: Judgement) -> str:
    """By how much a criterion was missed, in words."""
    name = outcome.criterion.named
    if outcome.value is None or outcome.margin is None:
        return f"{name}: undefined"
    return f"{name}: {outcome.value:.3f} ({outcome.basis}), missed by {-outcome.margin:.3f}"
