"""Judging the gates of a release by the facts of its project."""

from __future__ import annotations

from minivess.compliance.documents.log_story import story_of
from minivess.compliance.release.gate_facts import ReleaseRecords, facts_in
from minivess.compliance.release.gates import judge
from minivess.compliance.standards.counted import CountSources, approvable_in, counted_in
from minivess.compliance.standards.filing import missing_chapters
from minivess.compliance.trace.tree import Tree
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.release import GateResult
from minivess.records.device.workspace_files import EVALUATION, EXPORT
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.items import Requirement
from minivess.records.items.residual_risks import ResidualRisks
from minivess.records.items.trace_data import ClauseCoverage
from minivess.records.models.exports.export import ExportRecord
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.sealed.registration import policy_of
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.services import WorkspaceReader
from minivess.workflows.trace.clause_coverage import standards_of
from minivess.workflows.trace.workspace_evidence import PackBeingBuilt, ProjectEvidence


@implements("REQ-021", "REQ-035")
def judge_gates(services: WorkspaceReader, release: ReleaseFacts | None = None) -> tuple[GateResult, ...]:
    """Judge every gate of the policy and every built-in one. A fact that is missing fails its gates.

    Args:
        services: the workspace. Lineage events that wait in its outbox are not delivered.
        release: the source tree and the log; without it they are read as they are now.
    """
    known = ReleaseFacts.read(services) if release is None else release
    held, tree = known.inputs(services), known.tree
    events = Workspace(services.workspace).evidence / "lineage" / "events.jsonl"
    records = ReleaseRecords(
        evaluation=held.made(EVALUATION, EvaluationRecord),
        export=held.made(EXPORT, ExportRecord),
        members=len(held.runs) or None,
        starts=held.starts,
        report=tree.graph.report,
        risks=judgeable_risks(tree),
        requirements=len(tree.items.of(Requirement)),
        gaps=tuple(f"{one.gap.source.path}:{one.gap.source.line} {one.gap.message}" for one in tree.gaps if one.open),
        justified=tuple(f"{one.gap.message} ({one.remark})" for one in tree.gaps if not one.open),
        chapters=tuple(one.words for one in missing_chapters(tree.source)),
        counted=counted_in(CountSources(tree, coverage_of(services, known), Workspace(services.workspace))),
        approvable=approvable_in(tree),
        events=events.read_bytes() if events.is_file() else b"",
        source=known.source_state,
        version=services.project.device.version,
        now=services.clock(),
    )
    return judge(policy_of(services), facts_in(records, known.earlier))


@implements("REQ-550")
def coverage_of(services: WorkspaceReader, release: ReleaseFacts) -> tuple[ClauseCoverage, ...]:
    """How the clauses of standards stand for the source tree, the log and the pack of a release that is being built.

    Raises:
        InputError: a justification names nothing that is known, with file and line.
    """
    rows = standards_of(
        release.tree,
        safety_class=services.project.device.safety_class,
        story=story_of(release.tree, release.log),
        workspace=ProjectEvidence(ProjectState.of(services, release.log)),
        pack=PackBeingBuilt(release.tree),
    )
    return tuple(row.to_data() for row in rows)


def judgeable_risks(tree: Tree) -> ResidualRisks | None:
    """The residual risks; None when a risk cannot be looked up, which the trace check names."""
    try:
        return tree.risks.residual()
    except InputError:
        return None
