"""What a plan needs to know of the cases it is made for.

Sizes and spacings come from the records of the cases, counts and intensities from the survey of data validation, widths from
the masks of at most `EXAMINED` cases, evenly spaced in the order of their ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.cases.prepared import load_case
from minivess.ml.planning.structures import CaseStructure, ClassShape, Side, class_shapes, constant_side, structure_of
from minivess.ml.quality.survey import Survey
from minivess.records.data.dataset import CaseRecord, Unit
from minivess.records.models.task import SegmentationTask, task_of
from minivess.records.sinks import Progress

EXAMINED = 8
"""Cases whose masks are read."""


@dataclass(frozen=True)
class DataFingerprint:
    """The cases of a plan, in figures.

    Attributes:
        task: channels, axes and classes.
        modality: how the images were taken.
        unit: of the spacings.
        cases: how many.
        subjects: how many.
        grids: sizes in voxels, a case each.
        spacings: along each axis, a case each.
        darkest: the smallest intensity of all cases.
        foreground: share of all voxels in the masks.
        contrast: by how many deviations of an image the medians of cases differ (5th to 95th percentile).
        classes: what the classes look like; without those that no examined case has.
        side: two classes that are in one order along an axis in every examined case.
    """

    task: SegmentationTask
    modality: str
    unit: Unit
    cases: int
    subjects: int
    grids: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...], ...]
    darkest: float = 0.0
    foreground: float = 0.0
    contrast: float = 0.0
    classes: tuple[ClassShape, ...] = ()
    side: Side | None = None

    @property
    def voxels(self) -> int:
        """Of all cases."""
        return sum(math.prod(grid) for grid in self.grids)

    def grid_at(self, spacing: Sequence[float] | None) -> tuple[int, ...]:
        """The median size of an image that is resampled to a spacing; None: on its own grid."""
        sides = np.array(self.grids, float)
        if spacing is not None:
            sides = sides * np.array(self.spacings) / np.array(spacing)
        return tuple(max(1, round(float(side))) for side in np.median(sides, axis=0))

    def share_at(self, spacing: Sequence[float] | None) -> float:
        """How many voxels all cases have at a spacing, as a multiple of what they have."""
        if spacing is None:
            return 1.0
        resampled = sum(
            math.prod(side * step / wanted for side, step, wanted in zip(grid, steps, spacing, strict=True))
            for grid, steps in zip(self.grids, self.spacings, strict=True)
        )
        return resampled / self.voxels


def fingerprint(surveyed: Survey, *, progress: Progress | None = None) -> DataFingerprint:
    """The figures of surveyed cases.

    Raises:
        UsageError: there are no cases, they are of different kinds, or only some have a physical size.
        InputError: a case cannot be read, or differs from its record.
    """
    records = surveyed.manifest.cases
    if surveyed.faults:
        worst = surveyed.faults[0]
        raise InputError(f"case {worst.case}: {worst.message}", hint="minivess data validate")
    task = task_of(surveyed.manifest)
    units = {case.unit: case.id for case in reversed(records)}
    if len(units) > 1:
        raise UsageError(
            f"case {units['um']} has a physical size, and case {units['px']} has none",
            hint="state data.unit, or the spacing of each case",
        )
    measured = [surveyed.measures[case.id] for case in records]
    deviation = median(one.deviation for one in measured)
    middles = np.percentile([one.quantiles.p50 for one in measured], [5, 95])
    found = _structures_of_cases(surveyed, task, progress)
    return DataFingerprint(
        task=task,
        modality=records[0].modality,
        unit=records[0].unit,
        cases=len(records),
        subjects=len({case.subject for case in records}),
        grids=tuple(case.grid for case in records),
        spacings=tuple(case.spacing for case in records),
        darkest=min(one.minimum for one in measured),
        foreground=sum(one.foreground for one in measured) / sum(one.voxels for one in measured),
        contrast=float(middles[1] - middles[0]) / deviation if deviation > 0 else 0.0,
        classes=class_shapes(found),
        side=constant_side(found, task.axes),
    )


def _structures_of_cases(
    surveyed: Survey, task: SegmentationTask, progress: Progress | None
) -> dict[str, list[CaseStructure]]:
    """The examined cases of each class."""
    records = surveyed.manifest.cases
    count = min(EXAMINED, len(records))
    examined = [records[number * len(records) // count] for number in range(count)]
    found: dict[str, list[CaseStructure]] = {one.name: [] for one in task.classes}
    for done, case in enumerate(examined):
        if progress is not None:
            progress("structures", done, count)
        for name, structure in zip(found, _structures(surveyed, case), strict=True):
            found[name].append(structure)
    if progress is not None:
        progress("structures", count, count)
    return found


def _structures(surveyed: Survey, case: CaseRecord) -> list[CaseStructure]:
    """One for each class of the case, in order of value."""
    mask = np.asarray(load_case(surveyed.folder, case.id).label)
    parts = surveyed.measures[case.id].components
    made = []
    for one in case.classes:
        known = parts.get(one.value)
        made.append(
            structure_of(
                mask == one.value,
                case.spacing,
                parts=0 if known is None else known.number - known.specks,
                largest=0 if known is None else known.largest,
            )
        )
    return made
