"""What the report of a guarded evaluation states beside its record: who asked, who approved, and what computed the figures."""

from __future__ import annotations

from importlib.metadata import version

from minivess.compliance.rules.look_facts import Look
from minivess.foundation.implements import implements
from minivess.ml.evaluation.report.facts import Fact, ReportFacts, TestSetAccess
from minivess.records.evaluation.evaluation import PUBLISHED, AnalysisPlan, EvaluationRecord
from minivess.records.models.exports.contract import AppliedCalibrator
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import Services

_LIBRARIES = ("minivess", "numpy", "scipy", "scikit-image", "onnxruntime")
"""What computes predictions and measures."""
_MODES = {
    "released": "the requester read it with a released key",
    "custodian": "the custodian read it, and the key was handed out to no other person",
}


def pictures_withheld(plan: AnalysisPlan, *, custodian: bool) -> str:
    """Why a report has no pictures of test cases; empty where it has."""
    if custodian:
        return "the custodian gives out measures alone"
    return (
        ""
        if plan.published == PUBLISHED
        else "the registered plan publishes pictures of the best and the worst case only"
    )


def software_facts() -> tuple[Fact, ...]:
    """The versions of what computes the figures of an evaluation."""
    return tuple(Fact(term=name, value=version(name)) for name in _LIBRARIES)


def model_facts(services: Services, held: BoundInputs) -> tuple[Fact, ...]:
    """The exported model in words."""
    members, contract = len(held.runs), held.export.model
    calibrated = () if contract is None else (_calibrator(contract.calibrator),)
    return (
        Fact(term="Architecture", value=services.project.model.summary),
        Fact(term="Members", value=f"{members}; their probabilities are averaged"),
        *calibrated,
        Fact(term="Preprocessing", value=held.export.preprocessing.words),
    )


def _calibrator(applied: AppliedCalibrator) -> Fact:
    return Fact(term="Calibration", value=f"{applied.method}, {applied.parameter:.4g}, fitted on the calibration part")


@implements("REQ-398", "REQ-400")
def report_facts(
    services: Services, held: BoundInputs, look: Look, record: EvaluationRecord, plan: AnalysisPlan
) -> ReportFacts:
    """The facts of a look at the test set.

    Args:
        services: the workspace.
        held: the files of the workspace, compared with the log.
        look: the look that is reported.
        record: its evaluation.
        plan: the registered plan.
    """
    people = {one.identity.id: one.identity.name for one in services.log.standing.register.tenures.values()}
    asked, granted = look.requested, look.granted
    access = None
    if asked is not None and granted is not None:
        access = TestSetAccess(
            used=look.number,
            allowed=record.looks,
            requester=people.get(asked.request.requester, asked.request.requester),
            approver=people.get(granted.grant.approver, granted.grant.approver),
            purpose=asked.request.purpose,
            mode=_MODES.get(look.mode, look.mode),
            opened=look.opening.time,
        )
    device = services.project.device
    return ReportFacts(
        device=f"{device.name} {device.version}",
        intended_use=device.intended_use,
        data=held.manifest.name,
        time=look.opening.time,
        plan=plan,
        task=held.export.task,
        model=model_facts(services, held),
        software=software_facts(),
        access=access,
        pictures_withheld=pictures_withheld(plan, custodian=look.mode == "custodian"),
    )
