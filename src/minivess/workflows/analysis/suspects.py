"""Rank the cases by how suspicious their masks are. Nothing is recorded in the log, and no mask is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from minivess.foundation.digests import Digest
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import json_text
from minivess.ml.cases.prepared import LoadedCase, load_recorded
from minivess.ml.inference.answers import class_indices
from minivess.ml.quality.pages.suspects_page import suspects_page, where_in_words
from minivess.ml.quality.suspects.cross_fitting import Expected, VoxelCase, cross_fitted
from minivess.ml.quality.suspects.mask_quality import with_background
from minivess.ml.quality.suspects.ranking import ranked
from minivess.records.data.groups import group, groups_of
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import SPLIT
from minivess.records.evaluation.suspects import PredictorName, SuspectsRecord
from minivess.records.models.task import SegmentationTask
from minivess.workflows.analysis.open_cases import exported_model, open_cases, open_names
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

__all__ = ["PAGE", "RECORD", "Ranked", "rank", "where_in_words"]

RECORD, PAGE = "suspects.json", "suspects.html"
"""Below `data`."""


class Ranked(NamedTuple):
    """The order, and where the page is."""

    record: SuspectsRecord
    page: str
    """Relative to the project."""


@implements("REQ-408", "REQ-409")
def rank(reader: WorkspaceReader, *, predictor: PredictorName = "cross-fitted") -> Ranked:
    """Compare each mask with what a predictor expects that has not seen the case; write `data/suspects.json` and the page.

    Before the split all cases are compared. Afterwards those of the training and calibration parts are: the test part is not
    read any more.

    Args:
        reader: the workspace.
        predictor: `cross-fitted`: a simple classifier of voxels that learns from the other groups. `model`: the exported model,
            on the calibration part and on those cases of the training part that no run learned from.

    Raises:
        UsageError: nothing was ingested, there is one group, or no model was exported.
        VerificationError: a file is not the one that the log names.
    """
    workspace, inputs = Workspace(reader.workspace), BoundInputs.of(reader)
    task, seed, model = inputs.task, reader.project.split.seed, None
    split = inputs.knows(SPLIT)
    groups = groups_of(inputs.manifest, inputs.split) if split else _groups_before(inputs)
    if predictor == "model":
        model, expected = _by_model(reader, inputs)
    else:
        names = _names(inputs, split=split)
        expected = cross_fitted(
            lambda: (_voxels(case, task) for case in open_cases(reader, inputs, names)),
            {name: groups[name] for name in names},
            classes=len(task.classes),
            seed=seed,
            progress=reader.progress,
        )
    record = ranked(
        expected,
        groups=groups,
        classes=[one.name for one in task.classes],
        data=inputs.manifest.root,
        predictor=predictor,
        seed=seed,
        model=model,
    )
    write_text_atomic(workspace.data / RECORD, json_text(record))

    def shown(name: str) -> LoadedCase | None:
        """A case whose picture may be in the page: none of a part that will be sealed."""
        return load_recorded(workspace.prepared, inputs.case_record(name)) if split else None

    page = suspects_page(record, inputs.manifest, shown)
    write_text_atomic(workspace.data / PAGE, page)
    return Ranked(record, workspace.name(workspace.data / PAGE))


@implements("REQ-409")
def _names(inputs: BoundInputs, *, split: bool) -> tuple[str, ...]:
    """The cases that may be read."""
    if not split:
        return tuple(case.id for case in inputs.manifest.cases)
    return (*inputs.split.part(Part.TRAIN), *inputs.split.part(Part.CALIBRATION))


def _groups_before(inputs: BoundInputs) -> dict[str, str]:
    """The independent group of each case while there is no split, which knows near duplicates as well."""
    return {case.id: cases[0].id for cases in group(inputs.manifest) for case in cases}


def _voxels(case: LoadedCase, task: SegmentationTask) -> VoxelCase:
    return VoxelCase(case.record.id, case.image, class_indices(case.label, task), case.record.spacing)


def _by_model(reader: WorkspaceReader, inputs: BoundInputs) -> tuple[Digest, Iterator[Expected]]:
    """What the exported model expects of cases that it did not learn from."""
    model = exported_model(inputs)
    names = open_names(reader, inputs, "calibration")
    with suppress(UsageError):  # where no case was left out for validation
        names += open_names(reader, inputs, "validation")

    def expected() -> Iterator[Expected]:
        for place, case in enumerate(open_cases(reader, inputs, names), 1):
            probabilities = model.predict(case.image, case.record.physical_spacing)
            yield Expected(
                case.record.id, class_indices(case.label, model.task), with_background(probabilities), step=1
            )
            reader.progress("comparing masks", place, len(names))

    return model.digest, expected()
