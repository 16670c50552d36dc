"""Evaluation of a predictor on cases it has never seen, with everything a reader needs to judge the numbers.

The order is part of the method: each prediction is finished and frozen before the reference of its case is fetched,
so no prediction code can reach a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.evaluation.baseline import threshold_mask
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.dice import overlap
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.registry import count_measures
from minivess.ml.uncertainty.reliability import Reliability, border_band
from minivess.records.data.dataset import CaseRecord, Unit
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counts import RecallCounts
from minivess.records.evaluation.evaluation import EvaluationPlan, EvaluationRecord
from minivess.records.evaluation.measures import DICE
from minivess.records.evaluation.recomputation import record_of
from minivess.records.sinks import Progress

Image = NDArray[Any]
Probabilities = NDArray[np.float32]
Predict = Callable[[Image], Probabilities]
Labels = Callable[[str], Image]


@dataclass(frozen=True)
class CaseArrays:
    """One case as figures need it: image, reference and prediction, all (z, y, x), with the spacing in its unit."""

    case: str
    spacing: tuple[float, ...]
    unit: Unit
    dice: float
    image: Image
    reference: Mask
    prediction: Mask


@dataclass(frozen=True)
class Pictures:
    """What is drawn of an evaluation: best and worst case by Dice, reliability over all voxels and along borders."""

    best: CaseArrays
    worst: CaseArrays
    everywhere: Reliability
    band: Reliability


@implements("REQ-024", "REQ-025")
def evaluate(
    cases: Iterable[tuple[CaseRecord, Image]],
    predict: Predict,
    labels: Labels,
    plan: EvaluationPlan,
    *,
    progress: Progress | None = None,
) -> tuple[EvaluationRecord, Pictures]:
    """Measure a predictor against references, case by case; only the best and the worst case stay in memory.

    Args:
        cases: record and image (z, y, x) of each case, lazily; ids must differ.
        predict: image (z, y, x) -> calibrated foreground probabilities float32 (z, y, x) in 0..1.
        labels: case id -> binary reference (z, y, x); called after the prediction of that case is complete.
        plan: the analysis plan with its measures and conventions, and what this evaluation is about.
        progress: called after each case.

    Returns:
        The record with the counts of each case, and what figures are drawn from. Aggregates hold each measure and
        `dice_over_baseline`, the paired difference to the baseline. A measure is averaged over the cases where it is
        defined, and `n` is their number.

    Raises:
        UsageError: there are no cases, one comes twice, or one has no group.
        InputError: a reference does not fit its image or is not binary.
        RefusedError: the predictor answered something that is not a probability for every voxel.
    """
    rows: dict[str, CaseCounts] = {}
    best: CaseArrays | None = None
    worst: CaseArrays | None = None
    everywhere, band = Reliability(), Reliability()
    for record, image in cases:
        if record.id in rows:
            raise UsageError(f"case {record.id!r} comes twice")
        group = plan.groups.get(record.id)
        if group is None:
            raise UsageError(f"case {record.id!r} has no group", hint="give the groups that the seal fixed")
        probabilities = _predicted(predict, record.id, image)
        reference = _reference(labels, record.id, image)
        near = border_band(reference)
        bins = (_binned(probabilities, reference), _binned(probabilities[near], reference[near]))
        everywhere.include(bins[0])
        band.include(bins[1])
        prediction = probabilities >= plan.analysis.mask_threshold
        pair = CasePair.of(prediction, reference, record.spacing_in(plan.analysis.conventions.within.unit))
        row = CaseCounts(
            case=record.id,
            subject=record.subject,
            group=group,
            counts=count_measures(pair, plan.analysis.conventions, {DICE, *plan.analysis.measures}),
            baseline=overlap(threshold_mask(image, plan.baseline_threshold), reference),
            conformal=_conformal(probabilities[reference], plan.conformal_threshold),
            bins=bins[0].rows,
            border_bins=bins[1].rows,
        )
        rows[record.id] = row
        arrays = CaseArrays(record.id, record.spacing, record.unit, row.dice, image, reference, prediction)
        if best is None or (-row.dice, row.case) < (-best.dice, best.case):
            best = arrays
        if worst is None or (row.dice, row.case) < (worst.dice, worst.case):
            worst = arrays
        if progress is not None:
            progress("evaluating", len(rows), 0)
    if best is None or worst is None:
        raise UsageError("there are no cases to evaluate")
    return record_of(list(rows.values()), plan), Pictures(best, worst, everywhere, band)


def _predicted(predict: Predict, case: str, image: Image) -> Probabilities:
    probabilities = np.array(predict(image), dtype=np.float32)
    if probabilities.shape != image.shape:
        raise RefusedError(
            f"the predictor answered shape {probabilities.shape} for case {case!r} of shape {image.shape}"
        )
    if not np.isfinite(probabilities).all() or probabilities.min() < 0 or probabilities.max() > 1:
        raise RefusedError(f"the predictor's answer for case {case!r} holds values that are no probabilities")
    probabilities.flags.writeable = False
    return probabilities


def _reference(labels: Labels, case: str, image: Image) -> Mask:
    reference = np.asarray(labels(case))
    if reference.shape != image.shape:
        raise InputError(
            f"case {case!r} has an image of shape {image.shape} and a reference of shape {reference.shape}"
        )
    if not np.all((reference == 0) | (reference == 1)):
        raise InputError(f"the reference of case {case!r} holds values other than 0 and 1")
    return reference.astype(np.bool_)


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
