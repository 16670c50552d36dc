"""The one place where the sealed test set is opened: under a grant, once, recorded before the first plain byte.

What is decrypted stays in the memory of this process. The model runs in another one, which gets images and nothing else.
"""

from __future__ import annotations

from contextlib import ExitStack

from minivess.compliance.audit.test_set import TestSetHistory, input_of
from minivess.compliance.identity.approvals import check_policy
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.datasets.sealed import open_image, open_label, open_sealed
from minivess.ml.datasets.sealed_files import verify_sealed
from minivess.ml.evaluation.baseline import tune_threshold
from minivess.ml.evaluation.criteria import judge
from minivess.ml.evaluation.evaluate import evaluate
from minivess.ml.evaluation.figures import write_figures
from minivess.ml.inference.isolated import IsolatedPredictor, keep_memory_private
from minivess.records.artifact import Artifact
from minivess.records.evaluation import CriterionOutcome, EvaluationRecord
from minivess.records.split import Part
from minivess.workflows.data import manifest_of, seal_of, version_of, write_json
from minivess.workflows.modelling import calibration_of, cases_of
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services
from minivess.workflows.stages import follows
from minivess.workflows.test_set import OPENING_POLICY, facts_of, plan_of, release_data_key, subject_of


@implements("REQ-022", "REQ-023", "REQ-024", "REQ-025", "REQ-092", "REQ-093", "REQ-094", "REQ-095", "RC-03")
@follows("evaluate")
def run(services: Services, signer: Signer, request_id: str) -> EvaluationRecord:
    """Open the test set under the grant for `request_id`, measure the exported model, and count the opening.

    The opening is an entry before anything is decrypted, so a crash afterwards still counts.

    Raises:
        RefusedError: no valid grant for exactly this model, configuration, plan and data, a changed sealed file, or no look
            left; each refusal is an entry.
    """
    workspace, project = Workspace(services.workspace), services.project
    facts = facts_of(services)
    version = version_of(workspace)
    manifest = seal_of(workspace)
    plan = plan_of(project)
    conformal = calibration_of(workspace).threshold
    circumstances = services.context(model=facts.model, **version)

    with ExitStack() as stack:
        with recorded(services, "test-set.open", signer, context=circumstances, instant=True) as record:
            history = TestSetHistory.fold(services.log.entries())
            register = Register.fold(services.log.entries())
            grant = history.check_open(
                request_id, actor=signer.identity.id, facts=facts, register=register, now=services.clock()
            ).grant
            asked = history.requests[request_id].request
            check_policy(OPENING_POLICY, (grant.envelope,), (subject_of(asked),), register)
            verify_sealed(workspace.sealed, manifest)
            baseline = tune_threshold([(image, label) for _, image, label in cases_of(services, Part.CALIBRATION)])
            predictor = stack.enter_context(IsolatedPredictor(workspace.onnx, project.model, digest=facts.model))
            record.payload(request=asked.id)

        inputs = [
            Artifact(name="models/model.onnx", digest=facts.model),
            Artifact(name="data/sealed", digest=manifest.root),
            Artifact(name=input_of(asked.id), digest=digest_of(asked)),
        ]
        opened_at = record.receipt.index
        with recorded(services, "evaluation", signer, inputs=inputs, context=circumstances) as record:
            look = TestSetHistory.fold(services.log.entries()).check_opened(asked.id, opened_at)
            keep_memory_private()
            keys = release_data_key(services, signer, asked, grant)
            cases = {case.id: case for case in manifest_of(workspace).cases}
            sealed = {case.id: case for case in open_sealed(workspace.sealed, manifest, keys)}
            del keys
            made, details = evaluate(
                ((cases[name], open_image(case)) for name, case in sealed.items()),
                predictor.predict,
                lambda name: open_label(sealed[name]),
                threshold=plan.mask_threshold,
                conformal_threshold=conformal,
                baseline_threshold=baseline,
                conventions=plan.conventions,
                model=facts.model,
                data=manifest.root,
                request=asked.id,
                seed=plan.seed,
                look=look,
                progress=services.progress,
            )
            write_json(workspace, "evidence/evaluation/evaluation.json", made)
            for path in write_figures(made, details, workspace.evaluation / "figures"):
                record.output(f"evaluation/figures/{path.name}", path)
            record.output("evaluation/evaluation.json", workspace.evaluation / "evaluation.json")
            record.payload(
                request=asked.id,
                cases=len(made.cases),
                aggregates={name: interval.model_dump(mode="json") for name, interval in made.aggregates.items()},
                baseline_dice=made.baseline.mean,
                look=look,
                criteria=[
                    CriterionOutcome(criterion=one.criterion, value=one.value, met=one.met).model_dump(mode="json")
                    for one in judge(made, plan.criteria)
                ],
            )
    return made
