"""Judging the gates of a release by the facts of its project."""

from __future__ import annotations

from minivess.compliance.facts.gates import judge
from minivess.compliance.rules.log_facts import LogFacts
from minivess.foundation.implements import implements
from minivess.ml.evaluation.acceptance_criteria import Judgement
from minivess.ml.evaluation.acceptance_criteria import judge as judge_criteria
from minivess.records.device.release import GateFacts, GateResult, RiskJudgement
from minivess.records.device.workspace_files import CALIBRATION, EVALUATION, EXPORT
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.log.payloads.looks import CriteriaRegistered
from minivess.records.models.model import CalibrationRecord, ExportRecord
from minivess.workflows.models.dispositions import unaccounted_runs
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.sealed.registration import policy_of
from minivess.workflows.session.services import Services


@implements("REQ-021", "REQ-035")
def judge_gates(services: Services, release: ReleaseFacts | None = None) -> tuple[GateResult, ...]:
    """Judge every gate of the policy. A fact that is missing fails its gates.

    Args:
        services: the workspace.
        release: the source tree and the log; without it they are read as they are now.
    """
    known = ReleaseFacts.read(services) if release is None else release
    services.deliver()  # the pack takes the events of the entries it takes
    held, tree, log = known.inputs(services), known.tree, known.log
    evaluation = held.made(EVALUATION, EvaluationRecord)
    judged = None if evaluation is None else _judged(log, evaluation)
    verdicts = (tree.risks.verdict(risk) for risk in tree.risks.risks)
    facts = GateFacts(
        evaluation=evaluation,
        unmet=None if judged is None else tuple(_shortfall(one) for one in judged if not one.met),
        registered=None if judged is None else len(judged),
        calibration=held.made(CALIBRATION, CalibrationRecord),
        export=held.made(EXPORT, ExportRecord),
        gaps=tuple(one.gap for one in tree.gaps if one.open),
        justified=tuple(f"{one.gap.message} ({one.remark})"[:200] for one in tree.gaps if not one.open),
        risks=tuple(
            RiskJudgement(id=made.risk, level=made.residual_level, acceptable=made.verdict == "acceptable")
            for made in verdicts
        ),
        openings=log.history.openings,
        undisposed=unaccounted_runs(log.entries),
        undelivered=len(services.log.pending_events()),
        report=tree.graph.report,
    )
    return judge(policy_of(services), facts)


def _judged(log: LogFacts, evaluation: EvaluationRecord) -> tuple[Judgement, ...] | None:
    """The evaluation by the criteria that were registered when the test set was opened; None: there are none."""
    requested = log.history.requests.get(evaluation.request)
    if requested is None:
        return None
    entry = log.entries[log.history.criteria[requested.request.criteria]]
    registered = CriteriaRegistered.model_validate(entry.body.payload)
    return tuple(judge_criteria(evaluation, registered.criteria))


def _shortfall(outcome: Judgement) -> str:
    """By how much a criterion was missed, in words."""
    name = f"{outcome.criterion.measure}, {outcome.criterion.statistic}"
    if outcome.value is None or outcome.margin is None:
        return f"{name}: undefined"
    return f"{name}: {outcome.value:.3f}, missed by {-outcome.margin:.3f}"
