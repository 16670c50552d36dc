"""The newest model of a project: the exported one, or the ensemble while that is newer."""

from __future__ import annotations

from typing import NamedTuple

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.inference.predictor import PatchPredictor
from minivess.records.device.workspace_files import CALIBRATION, ENSEMBLE, ONNX
from minivess.workflows.analysis.open_cases import exported_model
from minivess.workflows.models.ensembles import load_ensemble
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader


class NewestModel(NamedTuple):
    """A model that can be evaluated."""

    kind: str
    """What it is, for people."""
    digest: str
    predictor: PatchPredictor
    conformal: dict[str, float | None]
    """The conformal threshold of each class; None where there is none."""


@implements("REQ-422")
def newest_model(services: WorkspaceReader, held: BoundInputs) -> NewestModel:
    """Open the exported model; where the ensemble was combined after it, the ensemble, calibrated if that was done since.

    Raises:
        UsageError: there is no ensemble yet.
        VerificationError: a file is not the one that the log names.
    """
    combined = held.index_of(ENSEMBLE)
    if combined is None:
        raise UsageError("there is no model to evaluate yet", hint=held.first_missing("ensemble").line)
    if (held.index_of(ONNX) or 0) > combined:
        opened = exported_model(held)
        return NewestModel("exported model", opened.digest, opened.predictor, held.conformal_thresholds)
    predictor, digest = load_ensemble(services, held)
    if (held.index_of(CALIBRATION) or 0) > combined:
        from minivess.ml.inference.predictor import CalibratedPredictor

        made = held.calibration
        thresholds = {one.name: made.threshold_of(one.name) for one in predictor.task.classes}
        return NewestModel("calibrated ensemble", digest, CalibratedPredictor(predictor, made.temperature), thresholds)
    return NewestModel("ensemble", digest, predictor, {one.name: None for one in predictor.task.classes})
