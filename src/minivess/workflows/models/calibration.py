"""Calibrate the ensemble on the calibration part."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import CALIBRATION, ENSEMBLE, SPLIT
from minivess.records.models.model import CalibrationRecord
from minivess.workflows.models.ensembles import load_ensemble
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json


@implements("REQ-019", "REQ-020")
@follows("calibrate")
def calibrate(services: Services, signer: Signer) -> CalibrationRecord:
    """Fit temperature and conformal threshold on the calibration part alone."""
    workspace, wanted = Workspace(services.workspace), services.project.calibration
    held = BoundInputs.of(services)
    with refused_on_record(services, "calibration", signer):
        predictor, digest = load_ensemble(services, held)
        context = services.context(model=digest, **held.version)
    from minivess.ml.uncertainty.calibration import CalibrationCase
    from minivess.ml.uncertainty.calibration import calibrate as fit

    inputs = [held.recorded(ENSEMBLE), held.recorded(SPLIT)]
    with recorded(services, "calibration", signer, inputs=inputs, context=context) as record:
        made = fit(
            predictor,
            (
                CalibrationCase(case.record.id, case.image, case.label, case.record.physical_spacing)
                for case in held.cases(Part.CALIBRATION)
            ),
            split=held.split,
            groups=groups_of(held.manifest, held.split),
            target_recall=wanted.target_recall,
            confidence=wanted.confidence,
            seed=services.project.split.seed,
            progress=services.progress,
        )
        write_json(workspace, CALIBRATION, made)
        record.output(CALIBRATION, workspace.root / CALIBRATION)
        record.payload(
            temperature=made.temperature,
            threshold=made.threshold,
            target_recall=made.target_recall,
            cases=len(made.cases),
        )
    return made
