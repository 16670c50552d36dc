"""Calibrate a predictor on the calibration part: temperature, its effect on reliability, and the conformal threshold.

Cases stream through: of each, only a seeded sample of weighted voxels and the thinned foreground scores stay in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CALIBRATORS, TEMPERATURE_SCALING
from minivess.ml.inference.predictor import PatchPredictor, to_probability
from minivess.ml.uncertainty.conformal import foreground_scores, threshold_from_scores
from minivess.ml.uncertainty.reliability import border_band, expected_calibration_error
from minivess.ml.uncertainty.voxel_samples import VoxelSample, draw_voxels
from minivess.records.data.split import SplitManifest
from minivess.records.models.model import CalibrationRecord
from minivess.records.sinks import Progress

VOXELS = 100_000
"""Voxels sampled of each group of cases, and again of their border bands."""

CalibrationCase = tuple[str, NDArray[Any], NDArray[Any]]
"""Id, raw image (z, y, x) and mask (z, y, x, 0 or 1) of one case."""


@implements("REQ-019", "REQ-020", "REQ-239", "REQ-242", "REQ-243", "RC-01", "RC-09")
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
    seen: list[str] = []
    whole: list[VoxelSample] = []
    near_border: list[VoxelSample] = []
    foreground: list[NDArray[np.float64] | None] = []
    for identifier, image, label in cases:
        if identifier not in split.calibration:
            raise RefusedError(
                f"case {identifier!r} is not in the calibration part, so nothing may be fitted on it",
                hint="pass the cases of the calibration part of the split alone",
            )
        if identifier in seen:
            raise UsageError(f"case {identifier!r} comes twice")
        if image.shape != label.shape:
            raise InputError(f"case {identifier!r} has an image of {image.shape} and a mask of {label.shape} voxels")
        rng = np.random.default_rng([seed, len(seen)])
        seen.append(identifier)
        logit, mask = predictor.logit(image), np.asarray(label) > 0
        if not np.isfinite(logit).all():
            raise InputError(
                f"case {identifier!r} has logits that are NaN or infinite", hint="check its image, and the members"
            )
        weight = VOXELS / sizes[groups[identifier]]
        whole.append(draw_voxels(rng, logit, mask, VOXELS).weighing(weight))
        near = border_band(mask)
        near_border.append(draw_voxels(rng, logit[near], mask[near], VOXELS).weighing(weight))
        foreground.append(foreground_scores(logit, mask))
        if progress is not None:
            progress("calibrating", len(seen), len(split.calibration))
    if not seen:
        raise UsageError("calibration needs cases", hint="give `split.calibration` at least one subject")

    voxels, band = VoxelSample.joined(whole), VoxelSample.joined(near_border)
    temperature = chosen.fit(voxels.logits, voxels.labels, voxels.weights)
    conformal = threshold_from_scores(
        [
            None if case is None else _probabilities(chosen.apply(case.astype(np.float32), temperature))
            for case in foreground
        ],
        [groups[name] for name in seen],
        target_recall=target_recall,
        confidence=confidence,
    )
    return CalibrationRecord(
        temperature=temperature,
        ece_before=_error(voxels, voxels.logits),
        ece_after=_error(voxels, chosen.apply(voxels.logits, temperature)),
        band_ece_before=_error(band, band.logits),
        band_ece_after=_error(band, chosen.apply(band.logits, temperature)),
        threshold=conformal.threshold,
        target_recall=target_recall,
        achieved_recall=conformal.achieved,
        cases=tuple(seen),
        method=f"{calibrator}; {conformal.method}",
        note=conformal.note,
        groups={name: groups[name] for name in sorted(seen)},
    )


def _probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities exactly as the calibrated predictor makes them (single precision), widened."""
    return to_probability(logits).astype(np.float64)


def _error(voxels: VoxelSample, logits: NDArray[np.float32]) -> float:
    """The calibration error of a sample with these logits, as an estimate for all voxels."""
    return expected_calibration_error(_probabilities(logits), voxels.labels, voxels.weights)
