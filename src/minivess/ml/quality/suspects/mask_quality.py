"""How much a mask contradicts probabilities of a predictor that has not seen the case.

The quality of a mask is the soft minimum over its voxels of the probability of the stated class (Lad & Mueller 2023, Estimating
label quality and errors in semantic segmentation data via any model, arXiv 2307.05080): a weighted mean that the least probable
voxels dominate, so that a part that is wrong is not lost among many voxels that are right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

TEMPERATURE = 0.1
"""Of the soft minimum, as its authors chose it."""
SURE = 0.2
"""The predictor contradicts a voxel where it gives the class of the mask at most this probability, and another more."""


class Region(NamedTuple):
    """The largest connected contradiction."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    voxels: int
    labelled: int
    """Most frequent class of the mask, 0 for background."""
    expected: int
    """Most frequent class that the predictor expects."""


class MaskQuality(NamedTuple):
    """What was found in one case."""

    quality: float
    disagreement: float
    region: Region | None


@implements("REQ-408")
def mask_quality(probabilities: NDArray[np.float32], label: NDArray[np.uint8]) -> MaskQuality:
    """The quality of a mask, its disagreement with the probabilities, and where they contradict each other most.

    Args:
        probabilities: (classes with background, *grid), each voxel's sum is 1.
        label: (*grid), 0 for background, else the number of the class.

    Raises:
        InputError: the shapes do not fit, or the mask has another class.
    """
    if probabilities.shape[1:] != label.shape or (label.size and int(label.max()) >= len(probabilities)):
        raise InputError(f"probabilities of shape {probabilities.shape} do not fit a mask of {label.shape} voxels")
    stated = np.take_along_axis(probabilities, label[np.newaxis].astype(np.intp), axis=0)[0].astype(np.float64)
    weights = np.exp(-stated / TEMPERATURE)
    quality = float((stated * weights).sum() / weights.sum())
    return MaskQuality(
        quality=min(max(quality, 0.0), 1.0),
        disagreement=_disagreement(probabilities, label),
        region=_region(probabilities, stated, label),
    )


def with_background(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities with those of the background first: a network with one output, (1, *grid), has none."""
    return np.concatenate([1 - probabilities, probabilities]) if len(probabilities) == 1 else probabilities


def _disagreement(probabilities: NDArray[np.float32], label: NDArray[np.uint8]) -> float:
    """1 minus the mean soft Dice over the classes that mask or predictor have."""
    held = []
    for number in range(1, len(probabilities)):
        mask = label == number
        expected, size = float(probabilities[number].sum(dtype=np.float64)), int(np.count_nonzero(mask))
        if size or expected >= 1:
            shared = float(probabilities[number][mask].sum(dtype=np.float64))
            held.append(2 * shared / (expected + size))
    return min(max(1 - float(np.mean(held)), 0.0), 1.0) if held else 0.0


def _region(probabilities: NDArray[np.float32], stated: NDArray[np.float64], label: NDArray[np.uint8]) -> Region | None:
    from scipy import ndimage

    expected = probabilities.argmax(axis=0)
    against = (stated <= SURE) & (expected != label)
    numbered, count = ndimage.label(against, structure=np.ones((3,) * label.ndim, np.bool_))
    if not count:
        return None
    largest = int(np.bincount(numbered.ravel())[1:].argmax()) + 1
    box = ndimage.find_objects(numbered)[largest - 1]
    inside = numbered == largest
    return Region(
        start=tuple(int(side.start) for side in box),
        stop=tuple(int(side.stop) for side in box),
        voxels=int(np.count_nonzero(inside)),
        labelled=int(np.bincount(label[inside]).argmax()),
        expected=int(np.bincount(expected[inside]).argmax()),
    )
