"""Calibrate a predictor on the calibration part: temperature, its effect on reliability, and the conformal threshold.

Cases stream through: of each, only a seeded sample of weighted voxels and the thinned foreground scores stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CALIBRATORS, TEMPERATURE_SCALING
from minivess.ml.inference.answers import class_indices, probabilities_of, to_probability
from minivess.ml.inference.predictor import PatchPredictor
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.ml.uncertainty.conformal import foreground_scores, thin, threshold_from_scores
from minivess.ml.uncertainty.reliability import Reliability, border_band
from minivess.ml.uncertainty.voxel_samples import VoxelSample, draw_voxels, draw_voxels_of_classes
from minivess.records.data.split import SplitManifest
from minivess.records.models.model import CalibrationRecord, ClassCalibration
from minivess.records.sinks import Progress

VOXELS = 100_000
"""Voxels sampled of each group of cases, and again of their border bands."""

Correct = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Changes logits of any shape."""


class CalibrationCase(NamedTuple):
    """A case of the calibration part."""

    id: str
    image: NDArray[Any]
    """Raw, in the order (z, y, x) or (y, x), channels last where there are several."""
    label: NDArray[Any]
    """The mask on the grid of the image, with the values of the classes."""
    spacing: Spacing = None
    """Micrometres along each spatial axis, where they are known."""


@implements("REQ-019", "REQ-020", "REQ-239", "REQ-242", "REQ-243", "REQ-337", "RC-01", "RC-09")
def calibrate(
    predictor: PatchPredictor,
    cases: Iterable[CalibrationCase],
    *,
    split: SplitManifest,
    groups: Mapping[str, str],
    target_recall: float,
    confidence: float,
    seed: int,
    calibrator: str = TEMPERATURE_SCALING,
    progress: Progress | None = None,
) -> CalibrationRecord:
    """Fit temperature and conformal threshold on cases of the calibration part, and on no others.

    The conformal threshold is on **calibrated** probabilities. Temperature and reliability before and after are estimates
    for all voxels of the cases, from the same weighted sample; the evaluation measures reliability again on the test part.
    Each independent group weighs the same: its weight is shared equally among its cases.

    Args:
        predictor: the uncalibrated ensemble.
        cases: the calibration cases; each is looked at once and then let go.
        split: says which cases are the calibration part.
        groups: the independent group of each case of the calibration part (`records.data.groups.groups_of`).
        target_recall: recall the conformal threshold must reach, in (0, 1).
        confidence: confidence of the stronger conformal statement, in (0, 1).
        seed: draws the sample of voxels.
        calibrator: the name of a calibrator in `ml.calibrators`.
        progress: called after each case.

    Raises:
        RefusedError: a case is not in the calibration part; nothing is fitted then.
        UsageError: there are no cases, a case comes twice or has no group, or there is no such calibrator.
        InputError: image and mask differ in shape, a logit is not finite, the masks hold no foreground, or no parameter
            calibrates the logits.
    """
    chosen = choose(CALIBRATORS, calibrator, what="calibrator")
    alone = [name for name in split.calibration if name not in groups]
    if alone:
        raise UsageError(f"case {alone[0]!r} has no group", hint="give the groups of the split")
    sizes = Counter(groups[name] for name in split.calibration)
    task, preprocessor = predictor.task, predictor.preprocessor
    seen: list[str] = []
    whole: list[VoxelSample] = []
    near_border: list[list[VoxelSample]] = [[] for _ in task.classes]
    foreground: list[list[NDArray[Any] | None]] = [[] for _ in task.classes]
    for identifier, image, label, spacing in cases:
        if identifier not in split.calibration:
            raise RefusedError(
                f"case {identifier!r} is not in the calibration part, so nothing may be fitted on it",
                hint="pass the cases of the calibration part of the split alone",
            )
        if identifier in seen:
            raise UsageError(f"case {identifier!r} comes twice")
        if preprocessor.grid(image) != label.shape:
            raise InputError(f"case {identifier!r} has an image of {image.shape} and a mask of {label.shape} voxels")
        rng = np.random.default_rng([seed, len(seen)])
        seen.append(identifier)
        logit, truth = predictor.logit(image, spacing), class_indices(label, task)
        if not np.isfinite(logit).all():
            raise InputError(
                f"case {identifier!r} has logits that are NaN or infinite", hint="check its image, and the members"
            )
        weight = VOXELS / sizes[groups[identifier]]
        whole.append(_draw(rng, logit, truth).weighing(weight))
        for number, (band, kept) in enumerate(zip(near_border, foreground, strict=True), start=1):
            mask = truth == number
            near = border_band(mask)
            band.append(_draw(rng, logit[:, near], truth[near]).weighing(weight))
            kept.append(_foreground(logit, mask))
        if progress is not None:
            progress("calibrating", len(seen), len(split.calibration))
    if not seen:
        raise UsageError("calibration needs cases", hint="give `split.calibration` at least one subject")

    voxels, bands = VoxelSample.joined(whole), [VoxelSample.joined(band) for band in near_border]
    temperature = chosen.fit(voxels.logits, voxels.labels, voxels.weights)

    def corrected(logits: NDArray[np.float32]) -> NDArray[np.float32]:
        made: NDArray[np.float32] = chosen.apply(logits.astype(np.float32), temperature)
        return made

    def errors(numbers: Sequence[int]) -> dict[str, float]:
        """The calibration errors over classes, each against everything else."""
        everywhere, near = [(voxels, one) for one in numbers], [(bands[one - 1], one) for one in numbers]
        return {
            "ece_before": _error(everywhere, _as_it_is),
            "ece_after": _error(everywhere, corrected),
            "band_ece_before": _error(near, _as_it_is),
            "band_ece_after": _error(near, corrected),
        }

    numbers = range(1, len(task.classes) + 1)
    conformal = [
        threshold_from_scores(
            [None if case is None else _scores(corrected(case), number) for case in kept],
            [groups[name] for name in seen],
            target_recall=target_recall,
            confidence=confidence,
        )
        for number, kept in zip(numbers, foreground, strict=True)
    ]
    classes = {}
    if not task.one_class:
        for number, one, found in zip(numbers, task.classes, conformal, strict=True):
            classes[one.name] = ClassCalibration(
                threshold=found.threshold, achieved_recall=found.achieved, note=found.note, **errors([number])
            )
    return CalibrationRecord(
        temperature=temperature,
        threshold=None if classes else conformal[0].threshold,
        target_recall=target_recall,
        achieved_recall=None if classes else conformal[0].achieved,
        cases=tuple(seen),
        method=f"{calibrator}; {', '.join(dict.fromkeys(one.method for one in conformal))}",
        note="one threshold a class" if classes else conformal[0].note,
        groups={name: groups[name] for name in sorted(seen)},
        classes=classes,
        **errors(numbers),
    )


def _draw(rng: np.random.Generator, logits: NDArray[np.float32], truth: NDArray[np.uint8]) -> VoxelSample:
    """A sample of voxels from logits (outputs, *shape) and indices of outputs (*shape)."""
    if logits.shape[0] == 1:
        return draw_voxels(rng, logits[0], truth > 0, VOXELS)
    return draw_voxels_of_classes(rng, logits, truth, VOXELS)


def _foreground(logits: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[Any] | None:
    """What recall at any threshold follows from once the calibrator is fitted; None for a case without the class.

    One class: its logits in the mask, thinned, for a calibrator keeps their order. Several classes: all outputs in the mask,
    (outputs, n), for the probability of a class depends on all of them.
    """
    if logits.shape[0] == 1:
        return foreground_scores(logits[0], mask)
    return logits[:, mask] if mask.any() else None


def _scores(logits: NDArray[np.float32], number: int) -> NDArray[np.float64]:
    """The probabilities of a class in its voxels, in ascending order and thinned."""
    probabilities = _probabilities(logits, number)
    if logits.ndim == 1:
        return probabilities
    return thin(np.sort(probabilities))


def _probabilities(logits: NDArray[np.float32], number: int) -> NDArray[np.float64]:
    """The probability of a class exactly as predictors make it (single precision), widened.

    Args:
        logits: of one class (n), or of all outputs (outputs, n).
        number: of the class, from 1.
    """
    values = to_probability(logits) if logits.ndim == 1 else probabilities_of(logits)[number]
    return np.asarray(values, np.float64)


def _as_it_is(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits


def _error(parts: Iterable[tuple[VoxelSample, int]], correct: Correct) -> float:
    """The calibration error of classes against everything else, over samples, as an estimate for all voxels.

    Args:
        parts: a sample and the number of a class, from 1.
        correct: changes logits.
    """
    reliability = Reliability()
    for sample, number in parts:
        reliability.add(_probabilities(correct(sample.logits), number), sample.labels == number, sample.weights)
    return reliability.ece
