"""Evidence that the workspace and the log of a project show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from types import MappingProxyType

from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources, WorkspaceEvidence
from minivess.foundation.implements import implements
from minivess.records.evaluation.statistics.bounds import Bound
from minivess.records.log.payloads.qualification import ToolQualified


def _log_verifies(workspace: WorkspaceEvidence) -> bool:
    from minivess.compliance.verification.log import verify_log

    return all(check.passed for check in verify_log(workspace.log.pairs, workspace.log.note)[0])


def _witnessed(workspace: WorkspaceEvidence) -> bool:
    policy = workspace.project.witnesses
    if policy is None:
        return False
    from minivess.compliance.verification.log import verify_log
    from minivess.compliance.verification.trust import Trust

    log = workspace.log
    checks, _ = verify_log(log.pairs, log.note, trust=Trust.of_register(log.register, policy), quick=True)
    return all(check.passed for check in checks)


def _disjoint(workspace: WorkspaceEvidence) -> bool:
    workspace.check_leakage()
    return True


def _sealed(workspace: WorkspaceEvidence) -> bool:
    workspace.check_seal()
    sealed, trained = workspace.log.first("data.seal"), workspace.log.first("training")
    before = sealed is not None and (trained is None or sealed.body.index < trained.body.index)
    return before and workspace.log.history.openings <= workspace.project.evaluation.looks.total


def _model(workspace: WorkspaceEvidence) -> bool:
    return bool(workspace.calibration) and workspace.export.onnx == workspace.onnx


def _parity(workspace: WorkspaceEvidence) -> bool:
    export = workspace.export
    return _model(workspace) and Bound(at_most=export.tolerance).judge(export.max_abs_difference).met


def _registered(workspace: WorkspaceEvidence) -> bool:
    history = workspace.log.history
    return bool(history.criteria) and all(
        history.criteria[history.requests[opening.request].request.criteria] < opening.index
        for opening in history.opened
    )


def _evaluated(workspace: WorkspaceEvidence) -> bool:
    made, looks = workspace.evaluation, workspace.log.history.looks()
    of_model = made.model == workspace.model and workspace.export.onnx == workspace.onnx
    return of_model and any(look.opening.request == made.request and look.met for look in looks)


@implements("REQ-591")
def _qualified(workspace: WorkspaceEvidence) -> bool:
    """Whether the newest qualification is of this version, and every check passed."""
    entry = workspace.log.last("tool.qualified")
    if entry is None:
        return False
    said = ToolQualified.model_validate(entry.body.payload)
    return said.tool.version == version("minivess") and said.passed > 0 and not said.failed


def _in_a_project(rule: Callable[[WorkspaceEvidence], bool]) -> Collector:
    def shows(sources: EvidenceSources) -> bool:
        return sources.workspace is not None and rule(sources.workspace)

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType(
    {
        name: _in_a_project(rule)
        for name, rule in {
            "audit-log": _log_verifies,
            "log-witnessed": _witnessed,
            "tool-qualified": _qualified,
            "lineage-delivered": lambda workspace: not workspace.undelivered,
            "data-record": lambda workspace: not workspace.validation.blocked,
            "split-disjoint": _disjoint,
            "test-set-sealed": _sealed,
            "model-record": _model,
            "export-parity": _parity,
            "criteria-registered": _registered,
            "evaluation": _evaluated,
            "calibration": lambda workspace: bool(workspace.calibration and workspace.evaluation),
        }.items()
    }
)
