"""Evaluation of a predictor on cases it has never seen, with everything a reader needs to judge the numbers.

The order is part of the method: each prediction is finished and frozen before the reference of its case is fetched,
so no prediction code can reach a label. Each class is counted against everything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.evaluation.baseline import threshold_masks
from minivess.ml.evaluation.counting import PredictedCase, counted
from minivess.ml.evaluation.drawings import Album, CaseDrawing
from minivess.ml.evaluation.places import count_places
from minivess.ml.inference.answers import class_indices, class_probabilities, mask_of
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.dice import overlap
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.registry import count_measures
from minivess.ml.uncertainty.probability_scores import count_scores
from minivess.ml.uncertainty.reliability import Reliability, border_band
from minivess.records.data.dataset import CaseRecord, LabelClass, Unit
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import RecallCounts
from minivess.records.evaluation.counted.scores import ScoreCounts
from minivess.records.evaluation.evaluation import EvaluationPlan, EvaluationRecord
from minivess.records.evaluation.measures import DICE
from minivess.records.evaluation.recomputation import record_of
from minivess.records.evaluation.subgroups.readers import agreed_counts
from minivess.records.evaluation.subgroups.strata import attributes_of
from minivess.records.models.task import SegmentationTask
from minivess.records.sinks import Progress

Image = NDArray[Any]
Probabilities = NDArray[np.float32]
Predict = Callable[[Image, tuple[float, ...] | None], Probabilities]
Labels = Callable[[str], Image]


@dataclass(frozen=True)
class CaseArrays:
    """One case as figures need it."""

    case: str
    spacing: tuple[float, ...]
    """Along each spatial axis, in `unit`."""
    unit: Unit
    classes: tuple[LabelClass, ...]
    dice: float
    """The mean over its classes."""
    image: Image
    """Raw, (z, y, x) or (y, x), channels last where there are several."""
    reference: NDArray[np.uint8]
    """0 for background, else the number of the class, from 1; on the grid of the image."""
    prediction: NDArray[np.uint8]
    """The same of the prediction."""
    orientation: str | None = None
    """Where each array axis points, for example `SPL`; None: unknown."""


Draw = Callable[[CaseArrays], CaseDrawing]
"""Draws a case while its arrays are there."""


@dataclass(frozen=True)
class ClassReliability:
    """Reliability of the probabilities of one class against everything else."""

    everywhere: Reliability = field(default_factory=Reliability)
    band: Reliability = field(default_factory=Reliability)
    """Along the border of the class in the reference."""


@dataclass(frozen=True)
class Pictures:
    """What is drawn of an evaluation: best and worst case by Dice, and the reliability of each class by its name."""

    best: CaseArrays
    worst: CaseArrays
    reliability: dict[str, ClassReliability]
    album: Album = field(default_factory=Album)
    """Pictures of each case; empty where none were drawn."""


@implements("REQ-024", "REQ-025", "REQ-338")
def evaluate(
    cases: Iterable[tuple[CaseRecord, Image]],
    predict: Predict,
    labels: Labels,
    plan: EvaluationPlan,
    *,
    processes: int | None = None,
    draw: Draw | None = None,
    progress: Progress | None = None,
) -> tuple[EvaluationRecord, Pictures]:
    """Measure a predictor against references, case by case; only the best and the worst case stay in memory.

    Args:
        cases: record and raw image (z, y, x) or (y, x), channels last, of each case, lazily; ids must differ.
        predict: image and its spacing in micrometres (None: no physical size is known) -> calibrated probabilities float32
            (outputs, *grid) in 0..1: one output for one class, else one for the background and one for each class.
        labels: case id -> reference (*grid) with the values of the classes; called after the prediction of that case is
            complete.
        plan: the analysis plan with its measures and conventions, and what this evaluation is about.
        processes: that count; the record is the same whatever their number. None: `counting.counted` chooses.
        draw: makes the pictures of a case for a report; None: no pictures are made.
        progress: called after each case.

    Returns:
        The record with the counts of each case and class, and what figures are drawn from. Aggregates hold each measure and
        `dice_over_baseline`, the paired difference to the baseline. A measure is averaged over the cases where it is
        defined, and `n` is their number. Distances are in the unit of the tolerance.

    Raises:
        UsageError: there are no cases, one comes twice, or one has no group.
        InputError: a reference does not fit its image, or holds a value that is no class.
        RefusedError: the predictor answered something that is not a probability of each output for every voxel.
        CouldNotCheckError: a process that counts ended; names the case.
    """
    task, rows, seen = plan.task, list[CaseCounts](), 0
    best: CaseArrays | None = None
    worst: CaseArrays | None = None
    reliability = {one.name: ClassReliability() for one in task.classes}
    album = Album(plan.analysis.seed)
    predicted = _predicted_cases(cases, predict, labels, plan)
    with closing(counted(predicted, count_case, plan, processes)) as found:
        for case, of_case in found:
            record, seen = case.record, seen + 1
            for one, row in zip(task.classes, of_case, strict=True):
                rows.append(row)
                reliability[one.name].everywhere.include(Reliability.of(row.bins))
                reliability[one.name].band.include(Reliability.of(row.border_bins))
            dice = math.fsum(row.dice for row in of_case) / len(of_case)
            classes, spacing = record.classes, record.spacing
            arrays = CaseArrays(
                record.id,
                spacing,
                record.unit,
                classes,
                dice,
                case.image,
                case.reference,
                case.prediction,
                record.orientation,
            )
            if draw is not None:
                album.add(draw(arrays))
            if best is None or (-dice, record.id) < (-best.dice, best.case):
                best = arrays
            if worst is None or (dice, record.id) < (worst.dice, worst.case):
                worst = arrays
            if progress is not None:
                progress("evaluating", seen, 0)
    if best is None or worst is None:
        raise UsageError("there are no cases to evaluate")
    return record_of(rows, plan), Pictures(best, worst, reliability, album)


def _predicted_cases(
    cases: Iterable[tuple[CaseRecord, Image]], predict: Predict, labels: Labels, plan: EvaluationPlan
) -> Iterator[PredictedCase]:
    """Each case with its prediction, and then its reference."""
    task, seen = plan.task, set[str]()
    for record, image in cases:
        if record.id in seen:
            raise UsageError(f"case {record.id!r} comes twice")
        seen.add(record.id)
        if record.id not in plan.groups:
            raise UsageError(f"case {record.id!r} has no group", hint="give the groups that the seal fixed")
        grid = image.shape[: len(task.axes)]
        probabilities = _predicted(predict, record, image, (task.outputs, *grid))
        reference = _reference(labels, record.id, grid, task)
        prediction = class_indices(mask_of(probabilities, task, threshold=plan.analysis.mask_threshold), task)
        baselines = threshold_masks(image, [one.baseline for one in plan.thresholds_of(record.id)], task)
        yield PredictedCase(record, image, probabilities, prediction, reference, baselines)


def count_case(case: PredictedCase, plan: EvaluationPlan) -> list[CaseCounts]:
    """The counts of each class of a case, in the order of the classes."""
    return [_row(case, number, plan)[0] for number in range(len(plan.task.classes))]


@implements("REQ-338")
def _row(case: PredictedCase, number: int, plan: EvaluationPlan) -> tuple[CaseCounts, ClassReliability]:
    """The counts of a class of a case against everything else; the classes count from 0."""
    record, task, tuned = case.record, plan.task, plan.thresholds_of(case.record.id)[number]
    probabilities = class_probabilities(case.probabilities)[number]
    predicted, true = case.prediction == number + 1, case.reference == number + 1
    near = border_band(true)
    bins = ClassReliability(_binned(probabilities, true), _binned(probabilities[near], true[near]))
    pair = CasePair.of(predicted, true, record.spacing_in(plan.analysis.conventions.within.unit))
    row = CaseCounts(
        case=record.id,
        **({} if task.one_class else {"of_class": task.classes[number].name}),
        subject=record.subject,
        group=plan.groups[record.id],
        counts=count_measures(pair, plan.analysis.conventions, {DICE, *plan.analysis.measures}),
        baseline=overlap(case.baselines[number], true),
        conformal=_conformal(probabilities[true], tuned.conformal),
        bins=bins.everywhere.rows,
        border_bins=bins.band.rows,
        **(_scores(probabilities, true, near) if plan.analysis.scores is not None else {}),
        shape=true.shape,
        spacing=pair.spacing,
        attributes=attributes_of(record),
        errors=count_places(pair, plan.analysis.conventions, near),
        readers=agreed_counts(record, task.classes[number].value, plan.analysis.conventions),
    )
    return row, bins


def _scores(probabilities: Probabilities, reference: Mask, near: Mask) -> dict[str, ScoreCounts]:
    return {
        "scores": count_scores(probabilities, reference),
        "border_scores": count_scores(probabilities[near], reference[near]),
    }


def _predicted(predict: Predict, record: CaseRecord, image: Image, wanted: tuple[int, ...]) -> Probabilities:
    probabilities = np.array(predict(image, record.physical_spacing), dtype=np.float32)
    if probabilities.shape != wanted:
        raise RefusedError(
            f"the predictor answered shape {probabilities.shape} for case {record.id!r}, where {wanted} is needed"
        )
    if not np.isfinite(probabilities).all() or probabilities.min() < 0 or probabilities.max() > 1:
        raise RefusedError(f"the predictor's answer for case {record.id!r} holds values that are no probabilities")
    probabilities.flags.writeable = False
    return probabilities


def _reference(labels: Labels, case: str, grid: tuple[int, ...], task: SegmentationTask) -> NDArray[np.uint8]:
    """The reference as numbers of classes from 1, 0 for background."""
    reference = np.asarray(labels(case))
    if reference.shape != grid:
        raise InputError(f"case {case!r} has an image of {grid} voxels and a reference of shape {reference.shape}")
    others = np.setdiff1d(reference, [0, *(one.value for one in task.classes)])
    if others.size:
        known = ", ".join(["0", *(f"{one.value} ({one.name})" for one in task.classes)])
        raise InputError(f"the reference of case {case!r} holds the value {others[0]:g}, which is none of {known}")
    return class_indices(reference.astype(np.uint8), task)


def _binned(probabilities: Probabilities, reference: Mask) -> Reliability:
    bins = Reliability()
    bins.add(probabilities, reference)
    return bins


def _conformal(scores: Probabilities, threshold: float | None) -> RecallCounts | None:
    """The reference's voxels in the conformal mask and outside, from their probabilities; None without such a mask."""
    if threshold is None:
        return None
    inside = int(np.count_nonzero(scores >= threshold))
    return RecallCounts(tp=inside, fn=scores.size - inside)
