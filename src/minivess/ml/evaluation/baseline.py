"""The simplest rival: one intensity threshold on the normalised image, tuned on the calibration part.

A network's score means little on data that a threshold already segments; so the threshold's Dice stands beside every
score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.preprocessing.normalisation import normalise

CANDIDATES = 1024


@implements("REQ-025")
def tune_threshold(cases: Sequence[tuple[NDArray[Any], NDArray[Any]]], groups: Sequence[str] | None = None) -> float:
    """The global threshold on the normalised image with the best mean Dice over the groups of the cases.

    All candidates, evenly spaced over the intensities met, are scored exactly in one pass over the voxels of each case.

    Args:
        cases: pairs of image (z, y, x, any intensity scale) and binary reference (z, y, x), of the calibration part.
        groups: the independent group of each case; each group weighs the same. None: each case is a group of its own.

    Returns:
        The threshold on the scale of `normalise`; voxels at or above it are foreground.

    Raises:
        UsageError: there are no cases, or cases and groups differ in number.
        InputError: an image and its mask differ in shape, or no image has any contrast.
    """
    if not cases:
        raise UsageError("a threshold cannot be tuned on no cases")
    units = [str(number) for number in range(len(cases))] if groups is None else list(groups)
    if len(units) != len(cases):
        raise UsageError(f"{len(cases)} cases have {len(units)} groups")
    images = [normalise(image) for image, _ in cases]
    low, high = min(float(image.min()) for image in images), max(float(image.max()) for image in images)
    if not low < high:
        raise InputError("the images have no contrast, so no threshold separates anything")
    candidates = np.linspace(low, high, CANDIDATES, dtype=np.float32)
    scores = np.zeros(CANDIDATES)
    for image, (_, mask), unit in zip(images, cases, units, strict=True):
        if image.shape != mask.shape:
            raise InputError(f"an image of shape {image.shape} has a mask of shape {mask.shape}")
        scores += _dice_of_all(image, mask.astype(np.bool_), candidates) / units.count(unit)
    return float(candidates[int(np.argmax(scores))])


@implements("REQ-025")
def threshold_mask(image: NDArray[Any], threshold: float) -> Mask:
    """The baseline's mask of an image (z, y, x): where the normalised image reaches the threshold."""
    mask: Mask = normalise(image) >= np.float32(threshold)
    return mask


def _dice_of_all(image: NDArray[Any], mask: Mask, candidates: NDArray[np.float32]) -> NDArray[np.float64]:
    """Dice of `image >= candidate` for every candidate (ascending), through two histograms."""
    reached = np.searchsorted(candidates, image.ravel(), side="right")
    at_least = _from_above(np.bincount(reached, minlength=candidates.size + 1))
    overlap = _from_above(np.bincount(reached[mask.ravel()], minlength=candidates.size + 1))
    total = at_least + np.count_nonzero(mask)
    return np.where(total > 0, 2.0 * overlap / np.maximum(total, 1), 1.0)


def _from_above(histogram: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many voxels reach each candidate: bin k holds voxels that reach exactly the first k candidates."""
    return np.cumsum(histogram[::-1])[::-1][1:]
