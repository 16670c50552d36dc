"""The one place where the sealed test set is opened: under a grant, once, recorded before the first plain byte."""

from __future__ import annotations

from minivess.compliance.audit.test_set import TestSetHistory, criteria_digest
from minivess.compliance.identity.approvals import check_policy
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.clock import utc_now
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.datasets.sealed import open_image, open_label, open_sealed
from minivess.ml.evaluation.baseline import tune_threshold
from minivess.ml.evaluation.evaluate import evaluate
from minivess.ml.evaluation.figures import write_figures
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.records.artifact import Artifact
from minivess.records.evaluation import Conventions, EvaluationRecord
from minivess.records.model import MASK_THRESHOLD
from minivess.records.split import Part
from minivess.workflows.data import manifest_of, seal_of, version_of, write_json
from minivess.workflows.modelling import calibration_of, cases_of
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services
from minivess.workflows.test_set import OPENING_POLICY, configuration_digest, release_data_key


@implements("REQ-022", "REQ-023", "REQ-024", "REQ-025", "RC-03")
def run(services: Services, signer: Signer, request_id: str) -> EvaluationRecord:
    """Open the test set under the grant for `request_id`, measure the exported model, and count the opening.

    The opening is an entry before anything is decrypted, so a crash afterwards still counts.

    Raises:
        RefusedError: no valid grant for exactly this model, configuration, criteria and data; each refusal is an entry.
    """
    workspace, project = Workspace(services.workspace), services.project
    if not workspace.onnx.is_file():
        raise UsageError("there is no exported model to evaluate", hint="minivess model export")
    version = version_of(workspace)
    manifest = seal_of(workspace)
    predictor = OnnxPredictor(workspace.onnx, project.model)
    model = predictor.digest
    conventions = Conventions(tolerance_um=project.evaluation.tolerance_um, bootstrap=project.evaluation.bootstrap)
    conformal = calibration_of(workspace).threshold
    baseline = tune_threshold([(image, label) for _, image, label in cases_of(services, Part.CALIBRATION)])

    context = services.context(model=model, **version)
    with recorded(services, "test-set.open", signer, context=context, instant=True) as record:
        history = TestSetHistory.fold(services.log.entries())
        grant = history.check_open(
            request_id,
            model=model,
            configuration=configuration_digest(project),
            criteria=criteria_digest(project.evaluation.criteria),
            data=manifest.root,
            now=utc_now(),
        )
        asked = history.requests[request_id].request
        if asked.requester != signer.identity.id:
            raise RefusedError(f"{request_id} was granted to {asked.requester}, not to {signer.identity.id}")
        check_policy(
            OPENING_POLICY,
            (grant.envelope,),
            (Artifact(name=f"test-set/{asked.id}", digest=digest_of(asked)),),
            Register.fold(services.log.entries()),
        )
        record.payload(request=asked.id)

    opened = TestSetHistory.fold(services.log.entries()).opened
    first = next(opening for opening in opened if opening.request == asked.id)
    if first.index != record.receipt.index:
        raise RefusedError(f"the grant of request {asked.id!r} was used by another process, at entry {first.index}")

    inputs = [Artifact(name="models/model.onnx", digest=model), Artifact(name="data/sealed", digest=manifest.root)]
    with recorded(
        services, "evaluation", signer, inputs=inputs, context=services.context(model=model, **version)
    ) as record:
        data_key = release_data_key(services, signer, asked, grant)
        cases = {case.id: case for case in manifest_of(workspace).cases}
        sealed = {case.id: case for case in open_sealed(workspace.sealed, manifest, data_key)}
        del data_key
        made, details = evaluate(
            ((cases[name], open_image(case)) for name, case in sealed.items()),
            predictor.predict,
            lambda name: open_label(sealed[name]),
            threshold=MASK_THRESHOLD,
            conformal_threshold=conformal,
            baseline_threshold=baseline,
            conventions=conventions,
            model=model,
            data=manifest.root,
            request=asked.id,
            seed=project.split.seed,
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
        )
    return made
