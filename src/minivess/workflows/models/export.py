"""Export the calibrated ensemble as what is evaluated, served and released."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from minivess.compliance.identity.signer import Signer
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import CALIBRATION, ENSEMBLE, EXPORT, INTENDED_USE, MANIFEST, ONNX, SPLIT
from minivess.records.models.model import ExportRecord
from minivess.workflows.models.cases import cases_of
from minivess.workflows.models.ensembles import load_ensemble
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json

Array = np.ndarray[Any, np.dtype[Any]]


PARITY_PATCHES = 4


@implements("REQ-026", "REQ-181")
@follows("export")
def export(services: Services, signer: Signer) -> ExportRecord:
    """Write the calibrated ensemble as one ONNX graph; refused, and the file removed, when it differs from PyTorch.

    The bounds of the intended use are derived here, once, from the training and calibration cases.
    """
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "model.export", signer):
        calibration, version = held.calibration, held.version
        predictor, _ = load_ensemble(services, held)
    from minivess.ml.export.onnx import to_onnx
    from minivess.ml.inference.intended_use import derive_envelope

    spec = services.project.model
    inputs = [held.recorded(name) for name in (ENSEMBLE, CALIBRATION, MANIFEST, SPLIT)]
    with recorded(services, "model.export", signer, inputs=inputs, context=services.context(**version)) as record:
        known = cases_of(held, Part.CALIBRATION)
        patches = [
            _centre(predictor.preprocessor.apply(case.image, case.record.physical_spacing), spec.patch)
            for case in known[:PARITY_PATCHES]
        ]
        use = derive_envelope(
            ((case.image, case.record.spacing) for case in chain(held.cases(Part.TRAIN), known)),
            held.manifest.cases[0].unit,
            predictor.task,
        )
        made = to_onnx(
            predictor,
            calibration.temperature,
            spec,
            workspace.onnx,
            patches=patches,
        )
        write_json(workspace, EXPORT, made)
        write_json(workspace, INTENDED_USE, use)
        record.context(model=made.onnx)
        record.output(ONNX, workspace.onnx)
        record.output(EXPORT, workspace.root / EXPORT)
        record.output(INTENDED_USE, workspace.root / INTENDED_USE)
        record.payload(opset=made.opset, max_abs_difference=made.max_abs_difference, tolerance=made.tolerance)
    return made


def _centre(image: Array, patch: tuple[int, ...]) -> Array:
    """The middle of an image (channels, *grid), padded with its edge where it is smaller than the patch."""
    pads = [(0, 0), *((0, max(0, want - have)) for have, want in zip(image.shape[1:], patch, strict=True))]
    padded = np.pad(image, pads, mode="edge")
    starts = [(have - want) // 2 for have, want in zip(padded.shape[1:], patch, strict=True)]
    middle = (slice(at, at + want) for at, want in zip(starts, patch, strict=True))
    return np.ascontiguousarray(padded[(slice(None), *middle)])
