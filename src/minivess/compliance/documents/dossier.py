"""Everything a pack is written from, gathered once: workspace records, the source tree, and a fold over the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from minivess.compliance.documents.approved_documents import approvable
from minivess.compliance.documents.log_story import log_story
from minivess.compliance.facts.soup import SoupItem, soup
from minivess.compliance.identity.register import Register
from minivess.compliance.items.history import Revision
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import inclusion_proof, leaf_hash, root, tree_of
from minivess.compliance.proofs.tlog_proof import TlogProof
from minivess.compliance.results.evidence_files import with_evidence
from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.site.view import Beside, TraceView
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.trace_data import view
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.json_records import read_json_record
from minivess.foundation.paths import Workspace
from minivess.foundation.provenance import tree_digest
from minivess.records.base import Record
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.device.project import Project
from minivess.records.device.release import GateResult, ReleasePolicy
from minivess.records.device.workspace_files import (
    CALIBRATION,
    EVALUATION,
    EXPORT,
    MANIFEST,
    MEMBER_RUN,
    RESULTS,
    SEALED,
    SPLIT,
    VALIDATION,
    file_of,
)
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace import ResultReport
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads import PAYLOADS
from minivess.records.models.model import CalibrationRecord, ExportRecord, RunRecord
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind

EVIDENCE = "evidence"
"""The folder in `traceability/` with the files that results name."""
KEY_ACTIONS = frozenset(PAYLOADS) - {"inference", "inference.refusals", "release.build", "release.sign"}
"""Actions whose completed entries get an inclusion proof of their own in the pack."""


@dataclass(frozen=True)
class PackInputs:
    """What a pack is made from: plain paths, records and bytes, so that the same inputs can be given again."""

    project: Project
    workspace: Workspace
    source: Path
    """The folder with requirements/, risk/, features/, src/, tests/ and uv.lock."""
    lines: tuple[bytes, ...]
    details: tuple[bytes | None, ...]
    """Of each entry; None where there are none or they were erased."""
    """Canonical entries of the log, from 0 to the checkpoint."""
    checkpoint: str
    """The signed note that covers exactly `lines`."""
    policy: ReleasePolicy
    gates: tuple[GateResult, ...]
    time: datetime
    """The time every document states; it is an input, so that a pack can be built again."""
    templates: Path
    """The folder with the document templates (`foundation.paths.templates_folder()`)."""
    commit: str | None = None
    dirty: bool | None = None
    things: Mapping[str, str] = field(default_factory=dict)
    """Digests of what items rest on beside text."""
    coverage: Sequence[Mapping[str, Any]] = ()
    """How the clauses of standards stand, as JSON-ready data."""
    history: Mapping[str, Sequence[Revision]] = field(default_factory=dict)
    """The commits of each item, by id, newest first."""


@dataclass(frozen=True)
class LogFacts:
    """What the log says, its checkpoint having been verified."""

    entries: tuple[Entry, ...]
    checkpoint: Checkpoint
    register: Register
    history: LookHistory
    proofs: Mapping[int, str]
    """`.tlog-proof` texts of the key entries, by index."""

    @property
    def people(self) -> tuple[Identity, ...]:
        """Everybody who may sign now."""
        return tuple(item for item in self.register.identities if item.kind is IdentityKind.PERSON)

    def last(self, *actions: str) -> Entry | None:
        """The last completed entry of one of these actions."""
        found = (entry for entry in reversed(self.entries) if entry.body.action in actions)
        return next((entry for entry in found if entry.body.outcome is Outcome.COMPLETED), None)

    @property
    def outputs(self) -> frozenset[str]:
        """Digests that completed entries name as their outputs."""
        completed = (entry.body for entry in self.entries if entry.body.outcome is Outcome.COMPLETED)
        return frozenset(item.digest for body in completed for item in body.outputs)


@dataclass(frozen=True)
class Dossier:
    """The facts of one release, ready to be written about."""

    inputs: PackInputs
    log: LogFacts
    evaluation: EvaluationRecord
    calibration: CalibrationRecord
    export: ExportRecord
    runs: tuple[RunRecord, ...]
    manifest: DatasetManifest
    validation: ValidationReport
    split: SplitManifest
    sealed: SealManifest
    report: ResultReport
    trace: TraceView
    """Items, evidence and signatures, as the pages of the trace show them."""
    risks: RiskFile
    soup: tuple[SoupItem, ...]

    @property
    def project(self) -> Project:
        """The project file."""
        return self.inputs.project

    @property
    def demo(self) -> bool:
        """Whether the keys are those of a demonstration."""
        return self.log.register.demo

    @property
    def failing(self) -> tuple[GateResult, ...]:
        """Gates that do not hold."""
        return tuple(gate for gate in self.inputs.gates if not gate.passed)


def gather(inputs: PackInputs) -> Dossier:
    """Read the workspace and the source tree, and fold the log.

    Raises:
        RefusedError: something the pack needs was not made yet; names it and the command that makes it.
        InputError: a file is malformed.
        VerificationError: the entries are not those the checkpoint covers.
    """
    workspace = inputs.workspace
    report = with_evidence(_record(workspace, RESULTS, ResultReport), inputs.source)
    log = read_log(inputs.lines, inputs.checkpoint)
    runs = [workspace.name(path) for path in sorted(workspace.root.glob(MEMBER_RUN)) if path.is_file()]
    return Dossier(
        inputs=inputs,
        log=log,
        evaluation=_record(workspace, EVALUATION, EvaluationRecord),
        calibration=_record(workspace, CALIBRATION, CalibrationRecord),
        export=_record(workspace, EXPORT, ExportRecord),
        runs=tuple(_record(workspace, name, RunRecord) for name in runs),
        manifest=_record(workspace, MANIFEST, DatasetManifest),
        validation=_record(workspace, VALIDATION, ValidationReport),
        split=_record(workspace, SPLIT, SplitManifest),
        sealed=_record(workspace, SEALED, SealManifest),
        report=report,
        trace=_trace(inputs, report, log),
        risks=RiskFile.load(inputs.source),
        soup=soup(inputs.source / "uv.lock"),
    )


def _trace(inputs: PackInputs, report: ResultReport, log: LogFacts) -> TraceView:
    graph = TraceGraph.load(inputs.source, report, things=inputs.things)
    results = digest_file(inputs.workspace.results)
    story = log_story(
        log.entries, graph, size=len(log.entries), approvable=approvable(inputs.source, graph.items), results=results
    )
    device = inputs.project.device
    shown = view(
        graph,
        today=inputs.time.date(),
        project={
            "name": device.name,
            "version": device.version,
            "commit": inputs.commit,
            "tree": tree_digest(inputs.source),
            "time": timestamp(inputs.time),
        },
        coverage=inputs.coverage,
        history=inputs.history,
        log=story,
    )
    return TraceView(shown, Beside("../index.html", "../audit/proofs", frozenset(log.proofs), EVIDENCE))


def read_log(lines: tuple[bytes, ...], checkpoint: str) -> LogFacts:
    """Fold the log and check that the checkpoint covers it, no more and no less.

    Raises:
        VerificationError: it does not, or an entry breaks a rule.
    """
    try:
        entries = tuple(Entry.model_validate(json.loads(line)) for line in lines)
    except (ValueError, ValidationError):
        raise VerificationError("the log holds a line that is no entry") from None
    if not entries:
        raise VerificationError("the log is empty")
    register = Register.fold(entries)
    head = parse_note(checkpoint).verify(entries[0].body.log, register.log_key)
    hashes = [leaf_hash(line) for line in lines]
    if head.size != len(lines) or root(hashes) != head.root:
        raise VerificationError(f"the checkpoint covers {head.size} entries, which are not the {len(lines)} given")
    tree = tree_of(hashes)
    keys = [entry.body.index for entry in entries if _is_key(entry)]
    proofs = {
        index: TlogProof(index, inclusion_proof(tree, index, len(lines)), checkpoint).text()
        for index in sorted({0, *keys, len(lines) - 1})
    }
    return LogFacts(entries, head, register, LookHistory.fold(entries), proofs)


def _is_key(entry: Entry) -> bool:
    return entry.body.outcome is Outcome.COMPLETED and entry.body.action in KEY_ACTIONS


def _record[R: Record](workspace: Workspace, name: str, kind: type[R]) -> R:
    """Read one JSON record of the workspace, by its name in the table of files."""
    row = file_of(name)
    place = row.place_of(name)
    path = workspace.root / place
    if not path.is_file():
        raise RefusedError(f"the pack needs {place}, which is not there", hint=f"run `{row.command}`")
    return read_json_record(path, kind, shown=place, hint=f"make it again: `{row.command}`")
