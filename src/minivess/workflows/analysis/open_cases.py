"""The cases that an exported model may be examined on at any time: those that are not sealed and that it did not learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from minivess.foundation.choices import choose
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.cases.prepared import LoadedCase, load_recorded
from minivess.ml.inference.exported_model import ExportedModel
from minivess.records.data.split import Part
from minivess.records.evaluation.parts import EvaluatedPart
from minivess.records.log.entry import Outcome
from minivess.records.models.model import RunRecord
from minivess.workflows.models.training import training_data
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

PARTS: tuple[EvaluatedPart, ...] = get_args(EvaluatedPart)


def exported_model(inputs: BoundInputs) -> ExportedModel:
    """The exported model, as the log names it.

    Raises:
        UsageError: no model was exported.
        VerificationError: the folder holds another model than the log names.
    """
    digest = inputs.model.digest
    return ExportedModel.open(inputs.export_folder(), expected=digest)


@implements("REQ-407", "RC-162")
def open_names(reader: WorkspaceReader, inputs: BoundInputs, part: str) -> tuple[str, ...]:
    """The cases of a part that no sealed file and no learned weight belongs to.

    Args:
        reader: the workspace.
        inputs: its files.
        part: `calibration`, or `validation`: the cases of the training part that no run learned from.

    Raises:
        UsageError: there is no such part, or it has no cases.
    """
    chosen = choose({name: name for name in PARTS}, part, what="part")
    names = inputs.split.part(Part.CALIBRATION) if chosen == "calibration" else _validated(reader, inputs)
    if not names:
        raise UsageError(f"the {chosen} part has no cases")
    return names


@implements("REQ-422", "RC-168")
def shares_held_out(reader: WorkspaceReader, inputs: BoundInputs) -> set[float]:
    """The shares of the training part that the members of the newest ensemble did not learn from.

    They follow from the records of the members, which the log names. The project file may have changed since.

    Raises:
        UsageError: there is no ensemble.
        VerificationError: a member was trained on another split.
    """
    splits = {
        output.digest: entry.body.context.data
        for entry in reader.log.entries()
        if entry.body.action == "training" and entry.body.outcome is Outcome.COMPLETED
        for output in entry.body.outputs
    }
    shares = set()
    for one in inputs.runs:
        if splits.get(one.digest) != inputs.split.root:
            raise VerificationError(
                f"{one.name} was trained on another split, so it may know these cases", hint="minivess train"
            )
        run = inputs.record(one.name, RunRecord)
        shares.add(run.training.validation.share if run.procedure > 1 else 0.0)
    if not shares:
        raise UsageError(
            "there is no ensemble, so it is not known what its members learned from", hint="minivess ensemble"
        )
    return shares


def _validated(reader: WorkspaceReader, inputs: BoundInputs) -> tuple[str, ...]:
    """The cases that every member of the ensemble left out."""
    shares = shares_held_out(reader, inputs)
    held = [training_data(inputs, Workspace(reader.workspace).prepared, share) for share in sorted(shares)]
    found = [{record.id for record in data.validated.records} for data in held]
    names = tuple(name for name in inputs.split.part(Part.TRAIN) if all(name in one for one in found))
    if not names:
        note = next((data.note for data in held if data.note), "members left out different cases")
        raise UsageError(f"no case is validated on: {note}", hint="state `--part calibration`")
    return names


def open_cases(reader: WorkspaceReader, inputs: BoundInputs, names: tuple[str, ...]) -> Iterator[LoadedCase]:
    """The cases of these names, one at a time in memory, each compared with the log."""
    folder = Workspace(reader.workspace).prepared
    for name in names:
        yield load_recorded(folder, inputs.case_record(name))
