"""The one place where the sealed test set is read: under an approval, which is an entry before the first plain byte.

What is decrypted stays in the memory of this process and of those that count for it (`ml.evaluation.counting`). The model runs in
another one, which gets images and nothing else.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.look_facts import input_of, same_figures
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.processes.private_memory import keep_memory_private
from minivess.ml.evaluation.baseline import tune_thresholds
from minivess.ml.evaluation.evaluate import Pictures, evaluate
from minivess.ml.evaluation.figures import write_figures
from minivess.ml.evaluation.report.case_panels import draw_case
from minivess.ml.evaluation.report.facts import ReportFacts
from minivess.ml.evaluation.report.page import write_report
from minivess.ml.inference.isolated import IsolatedPredictor
from minivess.ml.sealed.sealed_cases import open_image, open_label, open_sealed
from minivess.ml.sealed.sealed_files import verify_sealed
from minivess.records.artifact import Artifact
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import EVALUATION, PACKED_REPORT
from minivess.records.evaluation.acceptance_criteria import judge
from minivess.records.evaluation.evaluation import ClassThresholds, CriterionOutcome, EvaluationPlan, EvaluationRecord
from minivess.records.log.payloads.looks import Evaluated
from minivess.workflows.log.time_attestations import attest_time
from minivess.workflows.models.cases import cases_of
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.sealed.analysis_plan import facts_of
from minivess.workflows.sealed.key_release import custodian_keys, released_keys
from minivess.workflows.sealed.look_references import rest_on_look
from minivess.workflows.sealed.report_facts import pictures_withheld, report_facts
from minivess.workflows.sealed.requests import approve
from minivess.workflows.session.bound_inputs import BoundInputs, hint_of_first_missing
from minivess.workflows.session.recording import Recording, recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json

REPORT = "evaluation/report.html"
_LEFT_OUT = "this copy is for the evidence pack, which has no images of test cases"
"""The report, as the entry of the evaluation names it. It has pictures of test cases, so a pack does not contain it."""

_log = logging.getLogger(__name__)


@implements("REQ-022", "REQ-023", "REQ-024", "REQ-025", "REQ-092", "REQ-093", "REQ-094", "REQ-095", "REQ-133")
@implements("REQ-180", "REQ-400", "RC-03")
@follows("evaluate")
def run(services: Services, signer: Signer, request_id: str) -> EvaluationRecord:
    """Evaluate the exported model on the sealed test set, under the approval of `request_id`.

    The requester runs it with the released key, or the approver does as custodian. It may be run again under the same
    approval, after a crash or to repeat it: that is the same look. The first completed result counts. A later one with other
    figures is recorded, shown as a discrepancy, and not written over the first.

    Raises:
        RefusedError: no approval for exactly this model, configuration, plan and data and this actor, or a changed sealed
            file; each refusal is an entry.
    """
    workspace = Workspace(services.workspace)
    attest_time(services)
    held, history = BoundInputs.of(services), services.log.standing.test_set
    inputs = [held.model]
    if request_id in history.requests:
        inputs.append(Artifact(name=input_of(request_id), digest=digest_of(history.requests[request_id].request)))
    circumstances = services.context(model=held.model.digest)
    with (
        ExitStack() as stack,
        recorded(services, "evaluation", signer, inputs=inputs, context=circumstances) as record,
    ):
        facts = facts_of(services, inputs=held)
        manifest = held.seal
        record.input("data/sealed", manifest.root)
        with hint_of_first_missing(services, "evaluate"):
            grant = history.check_evaluate(request_id, actor=signer.identity.id, model=facts.model).grant
        asked = history.check_facts(request_id, facts)
        plan, look = history.plan_of(request_id), history.number_of(request_id)
        rest_on_look(services, record, asked.id, approved=True)
        verify_sealed(workspace.sealed, manifest)
        groups, tuned = groups_of(held.manifest, held.split), list(cases_of(held, Part.CALIBRATION))
        by_group = plan.conventions.statistics == "mean of groups"
        units = [groups[case.record.id] for case in tuned] if by_group else None
        task, conformal = held.export.task, held.conformal_thresholds
        baselines = tune_thresholds([(case.image, case.label) for case in tuned], units, task)
        del tuned
        predictor = stack.enter_context(IsolatedPredictor(held.export_folder(), digest=facts.model))
        keep_memory_private()
        custodian = grant.mode == "custodian"
        keys = custodian_keys(signer, manifest) if custodian else released_keys(services, signer, asked, grant)
        cases = {case.id: case for case in held.manifest.cases}
        sealed = {case.id: case for case in open_sealed(workspace.sealed, manifest, keys)}
        del keys
        made, details = evaluate(
            ((cases[name], open_image(case)) for name, case in sealed.items()),
            predictor.predict,
            lambda name: open_label(sealed[name]),
            EvaluationPlan(
                analysis=plan,
                model=facts.model,
                data=manifest.root,
                request=asked.id,
                task=task,
                thresholds=tuple(
                    ClassThresholds(baseline=baseline, conformal=conformal[one.name])
                    for one, baseline in zip(task.classes, baselines, strict=True)
                ),
                look=look,
                looks=None if held.terms is None else held.terms.looks,
                groups=groups,
            ),
            draw=None if pictures_withheld(plan, custodian=custodian) else draw_case,
            progress=services.progress,
        )
        result = Evaluated(
            request=asked.id,
            cases=len(made.tested),
            classes=made.classes,
            aggregates=made.aggregates,
            baseline_dice=made.baseline.mean,
            look=look,
            criteria=tuple(
                CriterionOutcome(criterion=one.criterion, value=one.value, met=one.met)
                for one in judge(made, plan.criteria)
            ),
        )
        first = history.first_result(asked.id)
        if first is None or same_figures(first, result):
            opened = next(one for one in history.looks() if one.opening.request == asked.id)
            told = report_facts(services, held, opened, made, plan)
            _write(workspace, record, made, details, told, cases=not custodian)
        else:
            _log.warning(
                "the figures differ from those of the first evaluation under %s: the first ones count, and the log shows both",
                asked.id,
            )
        record.payload(**result.model_dump(mode="json"))
    return made


@implements("REQ-398")
def _write(
    workspace: Workspace,
    record: Recording,
    made: EvaluationRecord,
    details: Pictures,
    told: ReportFacts,
    *,
    cases: bool,
) -> None:
    """Write the record of an evaluation, its figures and its report, and name them in the entry.

    Args:
        workspace: where to.
        record: the entry.
        made: the record.
        details: what is drawn.
        told: what the report states.
        cases: whether to draw images of test cases.
    """
    write_json(workspace, EVALUATION, made)
    for path in write_figures(made, details, workspace.evaluation / "figures", cases=cases):
        record.output(f"evaluation/figures/{path.name}", path)
    record.output(REPORT, write_report(made, details.album, told, workspace.evaluation / "report.html"))
    packed = told.model_copy(update={"pictures_withheld": told.pictures_withheld or _LEFT_OUT})
    path = workspace.evaluation / PACKED_REPORT.rpartition("/")[2]
    record.output(PACKED_REPORT, write_report(made, None, packed, path))
    record.output(EVALUATION, workspace.evaluation / "evaluation.json")


@implements("REQ-133", "RC-03")
def approve_and_run(services: Services, signer: Signer, request_id: str) -> EvaluationRecord:
    """Approve a request as custodian and run the evaluation; the data key is handed to nobody.

    A custodian run that broke off is finished by calling this again.

    Raises:
        RefusedError: as `test_set.approve` and `run`.
    """
    granted = services.log.standing.test_set.grants.get(request_id)
    if granted is None or granted.actor != signer.identity.id or granted.grant.mode != "custodian":
        approve(services, signer, request_id, mode="custodian")
    return run(services, signer, request_id)
