"""Explain the mask of a case by one member of the ensemble. Nothing is recorded in the log."""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from typing import NamedTuple

from minivess.foundation.choices import choose
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.files import write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import json_text
from minivess.ml.cases.prepared import LoadedCase
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import ENSEMBLE
from minivess.records.evaluation.explanations import FORMAT, ExplanationRecord
from minivess.records.evaluation.parts import EvaluatedPart
from minivess.records.models.ensemble import EnsembleMember, EnsembleRecord
from minivess.workflows.analysis.open_cases import PARTS, open_cases, open_names
from minivess.workflows.models.ensembles import load_ensemble
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

FOLDER = "explanations"
"""Below `evidence/evaluation`."""
_LIBRARIES = ("captum", "torch", "numpy")


class Explained(NamedTuple):
    """A record of an explanation, and where its picture is."""

    record: ExplanationRecord
    picture: str
    """Relative to the project."""


@implements("REQ-412", "RC-162")
def explain_case(
    reader: WorkspaceReader,
    case: str,
    *,
    of_class: str | None = None,
    member: int | None = None,
    layer: str | None = None,
) -> Explained:
    """Explain a mask that a member of the ensemble predicts; write record and picture below `evidence/evaluation/explanations`.

    Args:
        reader: the workspace.
        case: of the calibration part, or of those of the training part that no run learned from.
        of_class: the name of the class; needed where there are several.
        member: the seed of the member; None: the first.
        layer: of Grad-CAM++; None: the last convolution with several maps.

    Raises:
        UsageError: Captum is not installed, there is no such case, class, member or layer, or no voxel is predicted.
        RefusedError: the case is sealed, or the model learned from it.
        VerificationError: a file is not the one that the log names.
    """
    if importlib.util.find_spec("captum") is None:
        raise UsageError("explanations need the package captum", hint="pip install 'minivess[explain]'")
    workspace, inputs = Workspace(reader.workspace), BoundInputs.of(reader)
    fixed = inputs.record(ENSEMBLE, EnsembleRecord)
    part, classes = _part_of(reader, inputs, case), [one.name for one in fixed.task.classes]
    number = _number_of(of_class, classes)
    place = _place_of(member, fixed.members)
    ensemble, digest = load_ensemble(reader, inputs)
    (loaded,) = open_cases(reader, inputs, (case,))
    from minivess.ml.explain.explanation import explain
    from minivess.ml.explain.picture import picture
    from minivess.ml.models.registry import build_network

    predictor = ensemble.members[place]
    found = explain(
        predictor,
        lambda seed: build_network(fixed.model, fixed.task, seed=seed),
        loaded.image,
        loaded.record.physical_spacing,
        number=number,
        layer=layer,
        seed=max(one.seed for one in fixed.members),
        progress=reader.progress,
    )
    record = ExplanationRecord(
        format=FORMAT,
        model=digest,
        member=fixed.members[place].seed,
        weights=fixed.members[place].weights,
        case=case,
        part=part,
        image=loaded.record.image,
        of_class=classes[number - 1],
        start=found.chosen.start,
        patch=found.chosen.mask.shape,
        voxels=int(found.chosen.mask.sum()),
        attributions=found.attributions,
        left_out=found.left_out,
        libraries={name: version(name) for name in _LIBRARIES},
    )
    stem = f"{case}-{number}-member-{record.member}"
    folder = workspace.evaluation / FOLDER
    write_text_atomic(folder / f"{stem}.json", json_text(record))
    write_atomic(folder / f"{stem}.png", picture(record, found, _grid_spacing(fixed, loaded)))
    return Explained(record, workspace.name(folder / f"{stem}.png"))


@implements("REQ-412")
def _part_of(reader: WorkspaceReader, inputs: BoundInputs, case: str) -> EvaluatedPart:
    """The part of a case that may be explained."""
    inputs.case_record(case)
    if case in inputs.split.part(Part.TEST):
        raise RefusedError(f"case {case} is in the sealed test part", hint="choose a case of the calibration part")
    for part in PARTS:
        try:
            names = open_names(reader, inputs, part)
        except UsageError:  # a part without cases
            continue
        if case in names:
            return part
    raise RefusedError(
        f"the model learned from case {case}", hint=f"for example {inputs.split.part(Part.CALIBRATION)[0]}"
    )


def _number_of(name: str | None, classes: list[str]) -> int:
    """The number of a class, from 1."""
    if name is None:
        if len(classes) > 1:
            raise UsageError("there are several classes", hint=f"name one with --class: {', '.join(classes)}")
        return 1
    return choose({one: number for number, one in enumerate(classes, 1)}, name, what="class")


def _place_of(seed: int | None, members: tuple[EnsembleMember, ...]) -> int:
    if seed is None:
        return 0
    return choose({str(one.seed): place for place, one in enumerate(members)}, str(seed), what="member")


def _grid_spacing(fixed: EnsembleRecord, case: LoadedCase) -> tuple[float, ...]:
    """Of the grid that the network gets."""
    return fixed.preprocessing.spacing or case.record.spacing
