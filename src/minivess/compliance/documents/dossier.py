"""Everything a pack is written from, gathered once: workspace records, the source tree, and a fold over the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from minivess.compliance.facts.soup import SoupItem, soup
from minivess.compliance.release.chain import JudgedChain
from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.site.view import PackPaths, TraceView
from minivess.compliance.standards.counted import CountSources
from minivess.compliance.standards.filing import missing_chapters
from minivess.compliance.trace.trace_data import view
from minivess.compliance.trace.tree import Tree
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import Digest, digest_bytes, digest_file
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import read_json_record
from minivess.foundation.reading.lock_file import lock_place
from minivess.records.base import Record
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import ValidationReport
from minivess.records.device.preparation import Tool
from minivess.records.device.project import Project
from minivess.records.device.release import GateResult
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.device.source_state import SourceState
from minivess.records.device.workspace_files import (
    CALIBRATION,
    COVERAGE,
    EVALUATION,
    EXPORT,
    MANIFEST,
    RESULTS,
    SEALED,
    SPLIT,
    VALIDATION,
    file_of,
)
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.coverage import CoverageReport
from minivess.records.items.items import SoupItem as StatedSoup
from minivess.records.items.trace import LogStory, ResultReport
from minivess.records.items.trace_data import ClauseCoverage, TraceProject
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord, RunRecord

_EVIDENCE_LIMIT = 1 << 30
EVIDENCE = "evidence"
"""The folder in `traceability/` with the files that results name."""


@dataclass(frozen=True)
class PackInputs:
    """What a pack is made from: plain paths, records and bytes, so that the same inputs can be given again."""

    project: Project
    workspace: Workspace
    tree: Tree
    """The source tree, with the recorded results of its scenarios."""
    log: LogFacts
    """The log, from entry 0 to the last one before the preparation."""
    chain: JudgedChain
    """The entries that the release rests on."""
    story: LogStory
    """What the log says about the tree."""
    policy: ReleasePolicy
    gates: tuple[GateResult, ...]
    time: datetime
    """The time every document states; it is an input, so that a pack can be built again."""
    templates: Path
    """The folder with the document templates (`foundation.paths.templates_folder()`)."""
    tool: Tool
    """What makes the pack."""
    events: bytes
    """The lineage events of the log, one JSON object a line."""
    source_state: SourceState
    """The state of the source tree that is released."""
    uncommitted: bytes | None = None
    """The diff that `source_state` names."""
    commit: str | None = None
    dirty: bool | None = None
    coverage: tuple[ClauseCoverage, ...] = ()
    """How the clauses of standards stand."""
    previous: Mapping[str, bytes] | None = None
    """The files of the pack of the release before; None: there is none."""
    formats: tuple[str, ...] = ()
    """The suffixes of the formats that each document has beside its page."""
    earlier: str | None = None
    """The checkpoint in the newest pack of an earlier release of the same log, as a signed note."""

    @property
    def source(self) -> Path:
        """The folder with requirements/, risk/, features/, src/, tests/ and the lock file."""
        return self.tree.source

    @property
    def counted_from(self) -> CountSources:
        """What the gates of a release count."""
        return CountSources(self.tree, self.coverage, self.workspace)

    @cached_property
    def lock_digest(self) -> Digest:
        """The digest of the lock file, read once."""
        return digest_file(lock_place(self.source)[0])


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
    lock: str
    """The name of the lock file."""
    soup: tuple[SoupItem, ...]
    coverage: CoverageReport | None = None
    """What was measured when the results were recorded."""

    @property
    def project(self) -> Project:
        """The project file."""
        return self.inputs.project

    @property
    def demo(self) -> bool:
        """Whether the keys are those of a demonstration."""
        return self.log.register.demo

    @property
    def not_releasable(self) -> str:
        """Why nothing may be released from this source tree, in words; empty when it may."""
        return ", ".join(self.inputs.source_state.not_releasable)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Chapters of documents that are owed and not written, each in a sentence."""
        return tuple(one.words for one in missing_chapters(self.inputs.source))

    @property
    def failing(self) -> tuple[GateResult, ...]:
        """Gates that do not hold and are not waived."""
        return tuple(gate for gate in self.inputs.gates if not gate.passed and gate.waived is None)


def gather(inputs: PackInputs) -> Dossier:
    """Read the records of the workspace.

    Raises:
        RefusedError: something the pack needs was not made yet; names it and the command that makes it.
        InputError: a file is malformed.
    """
    workspace, report = inputs.workspace, inputs.tree.graph.report
    if report is None:
        raise _missing(RESULTS)
    lock, member = lock_place(inputs.source)
    return Dossier(
        inputs=inputs,
        log=inputs.log,
        evaluation=_record(workspace, EVALUATION, EvaluationRecord),
        calibration=_record(workspace, CALIBRATION, CalibrationRecord),
        export=_record(workspace, EXPORT, ExportRecord),
        runs=tuple(_record(workspace, name, RunRecord) for name in inputs.chain.member_records),
        manifest=_record(workspace, MANIFEST, DatasetManifest),
        validation=_record(workspace, VALIDATION, ValidationReport),
        split=_record(workspace, SPLIT, SplitManifest),
        sealed=_record(workspace, SEALED, SealManifest),
        report=report,
        trace=_trace(inputs),
        risks=inputs.tree.risks,
        lock=lock.name,
        soup=soup(lock, report.parts, member=member, items=inputs.tree.items.of(StatedSoup).values()),
        coverage=_record(workspace, COVERAGE, CoverageReport) if inputs.chain.output("scenarios", COVERAGE) else None,
    )


def _trace(inputs: PackInputs) -> TraceView:
    device = inputs.project.device
    shown = view(
        inputs.tree,
        project=TraceProject(
            name=device.name,
            version=device.version,
            commit=inputs.commit,
            tree=inputs.tree.version.tree,
            time=timestamp(inputs.time),
        ),
        coverage=inputs.coverage,
        log=inputs.story,
    )
    return TraceView(shown, PackPaths("../index.html", "../audit/proofs", inputs.log.proven, EVIDENCE))


def _record[R: Record](workspace: Workspace, name: str, kind: type[R]) -> R:
    """Read one JSON record of the workspace, by its name in the table of files."""
    row = file_of(name)
    place = row.shown_in(workspace.root, name)
    path = workspace.root / place
    if not path.is_file():
        raise _missing(name)
    return read_json_record(path, kind, shown=place, hint=f"make it again: `{row.command}`")


def _missing(name: str) -> RefusedError:
    row = file_of(name)
    return RefusedError(f"the pack needs {row.place_of(name)}, which is not there", hint=f"run `{row.command}`")


@implements("REQ-108")
def evidence_files(dossier: Dossier) -> dict[str, bytes]:
    """The files that results name, which the recorded results tie to the log by their digests.

    Raises:
        RefusedError: a file is missing, or is not the one that a result names.
    """
    named = {file for result in dossier.report.results for file in result.evidence if file.digest is not None}
    found: dict[str, bytes] = {}
    for file in sorted(named, key=lambda one: one.path):
        path = dossier.inputs.source / file.path
        if not path.is_file():
            raise RefusedError(f"the evidence file {file.path} is not there", hint="run `minivess trace run`")
        content = read_limited(path, limit=_EVIDENCE_LIMIT)
        if digest_bytes(content) != file.digest:
            raise RefusedError(
                f"the evidence file {file.path} is not the one that a result names", hint="run `minivess trace run`"
            )
        found[f"traceability/{EVIDENCE}/{file.path}"] = content
    return found
