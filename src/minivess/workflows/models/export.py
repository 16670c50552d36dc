"""Export the calibrated ensemble as what is evaluated, served and released."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import metadata
from itertools import islice

from minivess.compliance.identity.signer import Signer
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.cases.prepared import LoadedCase
from minivess.records.data.split import Part
from minivess.records.data.version import TrainedOn
from minivess.records.device.workspace_files import CALIBRATION, ENSEMBLE, EXPORT, EXPORT_FOLDER, MANIFEST, ONNX, SPLIT
from minivess.records.models.ensemble import EnsembleRecord
from minivess.records.models.exports.contract import Licences
from minivess.records.models.exports.export import GRAPH, RECORD, ExportRecord
from minivess.workflows.models.ensembles import load_ensemble
from minivess.workflows.models.listening import track_export
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

PARITY_CASES = 4
"""Calibration cases that PyTorch and the exported model answer, whole."""
TIMED_CASES = 4
"""Training cases of which one patch each is timed, and gives the ranges of a graph of 8 bits."""


@implements("REQ-026", "REQ-181", "REQ-341", "REQ-342", "REQ-362")
@follows("export")
def export(services: Services, signer: Signer) -> ExportRecord:
    """Write the calibrated ensemble as one folder; refused, and the folder emptied, when it differs from PyTorch.

    The bounds of the intended use are derived here, once, from the training and calibration cases.
    """
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "model.export", signer):
        calibration, version = held.calibration, held.version
        predictor, _ = load_ensemble(services, held)
    from minivess.ml.export.folder import ExportTerms, write_export
    from minivess.ml.export.parity import ParityImage
    from minivess.ml.inference.intended_use import derive_envelope

    project = services.project
    inputs = [held.recorded(name) for name in (ENSEMBLE, CALIBRATION, MANIFEST, SPLIT)]
    with recorded(services, "model.export", signer, inputs=inputs, context=services.context(**version)) as record:
        fixed = held.record(ENSEMBLE, EnsembleRecord)
        folder = workspace.root / EXPORT_FOLDER
        cases = held.cases(Part.TRAIN, Part.CALIBRATION)
        made = write_export(
            predictor,
            ExportTerms(
                models=[fixed.model] * len(fixed.members),
                calibration=calibration,
                intended_use=derive_envelope(
                    ((case.image, case.record.spacing) for case in cases),
                    held.manifest.cases[0].unit,
                    predictor.task,
                ),
                licences=Licences(
                    code=metadata("minivess").get("License-Expression") or "as the file LICENSE says",
                    weights=project.export.weights_licence,
                    data=held.manifest.licence,
                ),
                choice=project.export,
            ),
            folder,
            images=(
                ParityImage(case.record.id, case.image, case.label, case.record.physical_spacing)
                for case in _first(held, Part.CALIBRATION, PARITY_CASES)
            ),
            training=[(case.image, case.record.physical_spacing) for case in _first(held, Part.TRAIN, TIMED_CASES)],
        )
        model = record.output(EXPORT, folder / RECORD).digest
        data = TrainedOn(name=project.data.name, dvc=version["dvc"], split=version["data"])
        record.context(model=model, mlflow_run=track_export(services, folder, model=model, data=data))
        record.output(ONNX, folder / GRAPH)
        for graph in sorted((folder / "graphs").glob("*.onnx")):
            record.output(f"models/graphs/{graph.name}", graph)
        record.payload(opset=made.opset, max_abs_difference=made.max_abs_difference, tolerance=made.tolerance)
    return made


def _first(held: BoundInputs, part: Part, count: int) -> Iterator[LoadedCase]:
    """The first cases of a part, one at a time in memory."""
    return islice(held.cases(part), count)
