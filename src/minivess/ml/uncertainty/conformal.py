"""A probability threshold whose recall on a new group is controlled: conformal risk control through MAPIE.

The unit of exchangeability is the **independent group** (`records.data.groups`): cases of one animal depend on each other,
and so do the voxels of one case. The recall of a group is the mean of the recalls of its cases. So the risk, one minus recall,
is in 0..1 and rises with the threshold, as both methods require. docs/decisions/0034 says why it is not the worst case.
With n calibration groups, two statements are possible (MAPIE 1.6, `SemanticSegmentationController`):

* RCPS (Bates et al. 2021, arXiv 2101.02703), Hoeffding bound: with the wanted confidence over the draw of calibration
  groups, the mean recall over new groups reaches the target. Needs n of at least ln(1/delta) / (2 alpha^2): 116 groups for
  recall 0.9 at confidence 0.9.
* CRC (Angelopoulos et al. 2022, arXiv 2208.02814): the recall expected on the next group, averaged over draws of
  calibration groups, reaches the target. Needs n above 1/alpha - 1: 10 groups for recall 0.9.

The stronger statement is taken where it can be made, then the weaker one, else none. MAPIE's default RCPS bound (WSR)
is not used: version 1.6 adds up the running maxima of two halves of the sample, for which no proof is given.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.records.models.model import fewest_groups

THRESHOLDS = 200
"""Thresholds tried: 0, 0.005, … 0.995."""
SCORES = 2000
"""Scores kept of each case's foreground."""


class ConformalThreshold(NamedTuple):
    """A threshold (None: no guarantee), the mean recall it reaches on the calibration groups, the method, and a note."""

    threshold: float | None
    achieved: float | None
    method: str
    note: str


def foreground_scores(values: NDArray[Any], label: NDArray[Any], *, size: int = SCORES) -> NDArray[np.float64] | None:
    """The values (probabilities, or their logits) of a case's foreground in ascending order, thinned to `size`.

    Recall at any threshold depends on them alone. None when the case has no foreground.
    """
    scores = np.sort(np.asarray(values)[np.asarray(label) > 0].astype(np.float64))
    return thin(scores, size=size) if scores.size else None


def thin(scores: NDArray[np.float64], *, size: int = SCORES) -> NDArray[np.float64]:
    """At least one score in ascending order, thinned to `size`.

    Of m scores those at the ranks floor(i m / size) are kept, so recall taken from the thinned scores is never above the true
    one, and below it by less than 1 / size. Fewer scores are not thinned but repeated, under the same bound.
    """
    thinned: NDArray[np.float64] = scores[np.arange(size) * scores.size // size]
    return thinned


def conformal_threshold(
    probabilities: Sequence[NDArray[Any]],
    labels: Sequence[NDArray[Any]],
    *,
    groups: Sequence[str],
    target_recall: float,
    confidence: float,
) -> ConformalThreshold:
    """The highest threshold that controls recall, from whole volumes; see `threshold_from_scores`.

    Args:
        probabilities: one volume of calibrated foreground probabilities a calibration case.
        labels: their masks, 0 or 1.
        groups: the independent group of each.
        target_recall: recall to reach, in (0, 1).
        confidence: confidence of the stronger statement, in (0, 1).
    """
    scores = [foreground_scores(p, label) for p, label in zip(probabilities, labels, strict=True)]
    return threshold_from_scores(scores, groups, target_recall=target_recall, confidence=confidence)


@implements("REQ-020", "REQ-243", "RC-01", "RC-106")
def threshold_from_scores(
    scores: Sequence[NDArray[np.float64] | None], groups: Sequence[str], *, target_recall: float, confidence: float
) -> ConformalThreshold:
    """The highest threshold that controls recall, from each case's `foreground_scores`.

    Voxels with **at least** the threshold are in the mask (MAPIE counts those above it: this is the safe side). Cases
    without foreground have no recall and are left out. A threshold of 0 marks every voxel and counts as no guarantee.

    Args:
        scores: of each case, in ascending order; None for a case without foreground.
        groups: the independent group of each case, in the same order.
        target_recall: recall to reach, in (0, 1).
        confidence: confidence of the stronger statement, in (0, 1).

    Raises:
        UsageError: target or confidence is outside (0, 1), or scores and groups differ in number.
        InputError: a score is NaN or outside 0..1, or cases have different numbers of scores.
    """
    if not (0 < target_recall < 1 and 0 < confidence < 1):
        raise UsageError(f"target recall {target_recall} and confidence {confidence} must be between 0 and 1")
    if len(scores) != len(groups):
        raise UsageError(f"{len(scores)} cases have {len(groups)} groups")
    usable = [case for case in scores if case is not None]
    if any(not ((case >= 0) & (case <= 1)).all() for case in usable) or len({case.size for case in usable}) > 1:
        raise InputError("foreground scores must be probabilities, as many for each case")
    left_out = f"; {len(scores) - len(usable)} without foreground left out" if len(usable) < len(scores) else ""
    held: dict[str, list[NDArray[np.float64]]] = {}
    for case, group in zip(scores, groups, strict=True):
        if case is not None:
            held.setdefault(group, []).append(case)
    pooled = [np.concatenate(cases) for _, cases in sorted(held.items())]
    n, alpha = len(pooled), 1 - target_recall
    counted = (
        f"{n} calibration group{'' if n == 1 else 's'} ({len(usable)} case{'' if len(usable) == 1 else 's'}{left_out})"
    )
    strong, weak = math.ceil(math.log(1 / (1 - confidence)) / (2 * alpha**2)), fewest_groups(target_recall)
    if n < weak:
        return ConformalThreshold(
            None,
            None,
            "none",
            f"no guarantee: n too small, {counted}; recall {target_recall:g} needs {weak} groups",
        )
    if n >= strong and (found := _control(pooled, target_recall, confidence, "rcps")) is not None:
        return ConformalThreshold(
            *found,
            "RCPS, Hoeffding bound (MAPIE)",
            f"mean recall over new groups is at least {target_recall:g} with confidence {confidence:g}; {counted}; "
            "holds while new groups are exchangeable with them",
        )
    if (found := _control(pooled, target_recall, confidence, "crc")) is not None:
        return ConformalThreshold(
            *found,
            "conformal risk control (MAPIE)",
            f"expected recall on a new group is at least {target_recall:g}, on average over draws of {counted}; "
            f"confidence {confidence:g} over draws is not claimed, it needs {strong} groups or more; "
            "holds while new groups are exchangeable with them",
        )
    return ConformalThreshold(
        None,
        None,
        "none",
        f"no guarantee: with {counted} no threshold above 0 reaches recall {target_recall:g}",
    )


def _control(
    scores: Sequence[NDArray[np.float64]], target: float, confidence: float, method: Literal["crc", "rcps"]
) -> tuple[float, float] | None:
    """MAPIE's threshold and the mean recall at it, or None where no threshold above 0 controls the risk.

    The scores of a group are those of its cases one after another: as each case has as many, the recall of the row is the mean of
    the recalls of its cases.
    """
    from mapie.risk_control import SemanticSegmentationController

    controller = SemanticSegmentationController(
        predict_function=lambda cases: cases,
        risk="recall",
        method=method,
        target_level=target,
        confidence_level=confidence if method == "rcps" else None,
        rcps_bound="hoeffding" if method == "rcps" else None,
        predict_params=np.arange(THRESHOLDS) / THRESHOLDS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in scores:
            image = group[np.newaxis, np.newaxis, np.newaxis]
            controller.compute_risks(image, np.ones((1, group.size), dtype=np.int64))
        controller.compute_best_predict_param()
    threshold = float(np.ravel(controller.best_predict_param)[0])
    bound = np.asarray(controller.r_hat_plus, dtype=np.float64)
    if (bound < 1 - target).all():  # MAPIE answers 0 when no threshold has any risk, and any threshold would do
        threshold = (THRESHOLDS - 1) / THRESHOLDS
    index = round(threshold * THRESHOLDS) if math.isfinite(threshold) else 0
    if index <= 0 or not bound[index] < 1 - target:
        return None
    return threshold, float(np.mean([np.mean(group >= threshold) for group in scores]))
