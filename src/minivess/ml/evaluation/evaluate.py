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
from minivess.ml.measures.cldice import cldice
from minivess.ml.measures.dice import dice
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.surface import Spacing, surface_measures
from minivess.ml.uncertainty.reliability import Reliability, border_band
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.evaluation import (
    MEASURES,
    CaseMeasures,
    Conventions,
    EvaluationRecord,
    Interval,
    level_of_all,
    level_of_look,
)
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
    *,
    threshold: float,
    conformal_threshold: float | None = None,
    baseline_threshold: float,
    conventions: Conventions,
    model: str,
    data: str,
    request: str,
    seed: int,
    look: int = 1,
    looks: int | None = None,
    progress: Progress | None = None,
) -> tuple[EvaluationRecord, Pictures]:
    """Measure a predictor against references, case by case; only the best and the worst case stay in memory.

    Args:
        cases: record and image (z, y, x) of each case, lazily; ids must differ.
        predict: image (z, y, x) -> calibrated foreground probabilities float32 (z, y, x) in 0..1.
        labels: case id -> binary reference (z, y, x); called after the prediction of that case is complete.
        threshold: probability from which a voxel is foreground.
        conformal_threshold: probability from which a voxel is in the conformal mask, when there is one.
        baseline_threshold: `baseline.tune_threshold` of the calibration part.
        conventions: tolerances and counts that change numbers.
        model: digest of the model judged.
        data: digest of the data set manifest.
        request: id of the request under which the test set was opened.
        seed: of the bootstrap.
        look: which look at this test set it is.
        looks: how many looks the seal allows, which fixes the level of every interval; None for seals of version 0.1.0,
            under which later looks have wider intervals.
        progress: hears after each case.

    Returns:
        The record, and what figures are drawn from. Aggregates hold the four measures and `dice_over_baseline`, the
        paired difference to the baseline; `hd95_um` is averaged over the cases where it is defined, and `n` says how
        many those are.

    Raises:
        UsageError: there are no cases, or one comes twice.
        InputError: a reference does not fit its image or is not binary.
        RefusedError: the predictor answered something that is not a probability for every voxel.
    """
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
        prediction = probabilities >= threshold
        everywhere.add(probabilities, reference)
        if conformal_threshold is not None and reference.any():
            recalls.append((record.subject, float((probabilities[reference] >= conformal_threshold).mean())))
        near = border_band(reference)
        band.add(probabilities[near], reference[near])
        row = _measure(record, image, prediction, reference, baseline=baseline_threshold, conventions=conventions)
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
    draws = _Draws(conventions.bootstrap, seed, level_of_look(look) if looks is None else level_of_all(looks))
    evaluation = EvaluationRecord(
        model=model,
        data=data,
        request=request,
        threshold=threshold,
        conventions=conventions,
        cases=tuple(rows),
        aggregates=_aggregates(rows, draws),
        baseline=draws.interval(rows, [row.baseline_dice for row in rows]),
        conformal_recall=_recall(recalls, draws),
        ece=everywhere.ece,
        band_ece=band.ece,
        best=best.case,
        worst=worst.case,
        look=look,
        looks=looks,
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


def _measure(
    record: CaseRecord,
    image: Image,
    prediction: Mask,
    reference: Mask,
    *,
    baseline: float,
    conventions: Conventions,
) -> CaseMeasures:
    surface_dice, distance = surface_measures(prediction, reference, record.spacing_um, conventions.tolerance_um)
    return CaseMeasures(
        case=record.id,
        subject=record.subject,
        dice=dice(prediction, reference),
        cldice=cldice(prediction, reference),
        nsd=surface_dice,
        hd95_um=distance,
        baseline_dice=dice(threshold_mask(image, baseline), reference),
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
    for measure in MEASURES:
        defined = [row for row in rows if getattr(row, measure) is not None]
        if defined:
            aggregates[measure] = draws.interval(defined, [getattr(row, measure) for row in defined])
    aggregates["dice_over_baseline"] = draws.interval(rows, [row.dice - row.baseline_dice for row in rows])
    return aggregates


def _recall(recalls: list[tuple[str, float]], draws: _Draws) -> Interval | None:
    if not recalls:
        return None
    subjects, values = zip(*recalls, strict=True)
    return draws.mean(values, subjects)
