"""Evaluation of a predictor on cases it has never seen, with everything a reader needs to judge the numbers.

The order is part of the method: each prediction is finished and frozen before the reference of its case is fetched,
so no prediction code can reach a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.evaluation.baseline import threshold_mask
from minivess.ml.evaluation.bootstrap import bootstrap_mean
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.dice import dice
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.registry import measure
from minivess.ml.measures.surface import Spacing
from minivess.ml.uncertainty.reliability import Reliability, border_band
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.evaluation import CaseMeasures, EvaluationPlan, EvaluationRecord, Interval
from minivess.records.evaluation.measures import DICE, OVER_BASELINE
from minivess.records.sinks import Progress

Image = NDArray[Any]
Probabilities = NDArray[np.float32]
Predict = Callable[[Image], Probabilities]
Labels = Callable[[str], Image]


@dataclass(frozen=True)
class CaseArrays:
    """One case as figures need it: image, reference and prediction, all (z, y, x), with spacing in micrometres."""

    case: str
    spacing_um: Spacing
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
        The record, and what figures are drawn from. Aggregates hold each measure and `dice_over_baseline`, the paired
        difference to the baseline. A measure is averaged over the cases where it is defined, and `n` is their number.

    Raises:
        UsageError: there are no cases, or one comes twice.
        InputError: a reference does not fit its image or is not binary.
        RefusedError: the predictor answered something that is not a probability for every voxel.
    """
    analysis = plan.analysis
    rows: list[CaseMeasures] = []
    seen: set[str] = set()
    best: CaseArrays | None = None
    worst: CaseArrays | None = None
    everywhere, band = Reliability(), Reliability()
    recalls: list[tuple[str, float]] = []
    for record, image in cases:
        if record.id in seen:
            raise UsageError(f"case {record.id!r} comes twice")
        seen.add(record.id)
        probabilities = _predicted(predict, record.id, image)
        reference = _reference(labels, record.id, image)
        prediction = probabilities >= analysis.mask_threshold
        everywhere.add(probabilities, reference)
        if plan.conformal_threshold is not None and reference.any():
            recalls.append((record.subject, float((probabilities[reference] >= plan.conformal_threshold).mean())))
        near = border_band(reference)
        band.add(probabilities[near], reference[near])
        row = _measure(record, image, prediction, reference, plan)
        rows.append(row)
        arrays = CaseArrays(record.id, record.spacing_um, row.dice, image, reference, prediction)
        if best is None or row.dice > best.dice:
            best = arrays
        if worst is None or row.dice < worst.dice:
            worst = arrays
        if progress is not None:
            progress("evaluating", len(rows), 0)
    if best is None or worst is None:
        raise UsageError("there are no cases to evaluate")
    draws = _Draws(analysis.conventions.bootstrap, analysis.seed, plan.level)
    evaluation = EvaluationRecord(
        model=plan.model,
        data=plan.data,
        request=plan.request,
        threshold=analysis.mask_threshold,
        conventions=analysis.conventions,
        cases=tuple(rows),
        aggregates=_aggregates(rows, draws),
        baseline=draws.interval(rows, [row.baseline_dice for row in rows]),
        conformal_recall=_recall(recalls, draws),
        ece=everywhere.ece,
        band_ece=band.ece,
        best=best.case,
        worst=worst.case,
        look=plan.look,
        looks=plan.looks,
    )
    return evaluation, Pictures(best, worst, everywhere, band)


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


def _measure(record: CaseRecord, image: Image, prediction: Mask, reference: Mask, plan: EvaluationPlan) -> CaseMeasures:
    pair = CasePair.of(prediction, reference, record.spacing_um)
    return CaseMeasures(
        case=record.id,
        subject=record.subject,
        values=measure(pair, plan.analysis.conventions, {DICE, *plan.analysis.measures}),
        baseline_dice=dice(threshold_mask(image, plan.baseline_threshold), reference),
    )


@dataclass(frozen=True)
class _Draws:
    """How intervals are drawn."""

    resamples: int
    seed: int
    level: float

    def interval(self, rows: list[CaseMeasures], values: list[float]) -> Interval:
        return self.mean(values, [row.subject for row in rows])

    def mean(self, values: Sequence[float], subjects: Sequence[str]) -> Interval:
        return bootstrap_mean(values, subjects, resamples=self.resamples, seed=self.seed, level=self.level)


def _aggregates(rows: list[CaseMeasures], draws: _Draws) -> dict[str, Interval]:
    aggregates: dict[str, Interval] = {}
    for name in rows[0].values:
        defined = [(row, value) for row in rows if (value := row.values[name]) is not None]
        if defined:
            aggregates[name] = draws.interval([row for row, _ in defined], [value for _, value in defined])
    aggregates[OVER_BASELINE] = draws.interval(rows, [row.dice - row.baseline_dice for row in rows])
    return aggregates


def _recall(recalls: list[tuple[str, float]], draws: _Draws) -> Interval | None:
    if not recalls:
        return None
    subjects, values = zip(*recalls, strict=True)
    return draws.mean(values, subjects)
