"""The simplest rival: one intensity threshold on a normalised channel for each class, tuned on the calibration part.

A network's score means little on data that a threshold already segments. So the Dice of the threshold is beside every score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.inference.answers import class_indices
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.preprocessing.normalisation import normalise
from minivess.ml.preprocessing.preprocessor import Image, Preprocessor
from minivess.records.evaluation.evaluation import IntensityThreshold
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

CANDIDATES = 1024


@implements("REQ-025", "REQ-340")
def tune_thresholds(
    cases: Sequence[tuple[Image, NDArray[Any]]],
    groups: Sequence[str] | None = None,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
) -> tuple[IntensityThreshold, ...]:
    """The threshold of each class with the best mean Dice over the groups of the cases, against everything else.

    All channels, both directions (a bright or a dark class) and all candidates, evenly spaced over the intensities met, are
    scored exactly. Of equal ones the first channel and the bright direction count.

    Args:
        cases: pairs of raw image (any intensity scale, channels last) and mask with the values of the classes, of the
            calibration part.
        groups: the independent group of each case; each group weighs the same. None: each case is a group of its own.
        task: channels, axes and classes.

    Returns:
        A threshold for each class, in the order of the task, on the scale of `normalise`.

    Raises:
        UsageError: there are no cases, or cases and groups differ in number.
        InputError: an image and its mask differ in shape, or no image has any contrast.
    """
    if not cases:
        raise UsageError("a threshold cannot be tuned on no cases")
    units = [str(number) for number in range(len(cases))] if groups is None else list(groups)
    if len(units) != len(cases):
        raise UsageError(f"{len(cases)} cases have {len(units)} groups")
    split, indices = Preprocessor(Preprocessing.of(task)), [class_indices(mask, task) for _, mask in cases]
    best: list[tuple[float, IntensityThreshold]] = []
    for channel in range(task.channels):
        images = [normalise(split.channels(image)[channel]) for image, _ in cases]
        for image, mask in zip(images, indices, strict=True):
            if image.shape != mask.shape:
                raise InputError(f"an image of shape {image.shape} has a mask of shape {mask.shape}")
        low, high = min(float(image.min()) for image in images), max(float(image.max()) for image in images)
        if not low < high:
            continue
        candidates = np.linspace(low, high, CANDIDATES, dtype=np.float32)
        for bright in (True, False):
            scores = _scores(images, indices, units, candidates, classes=len(task.classes), bright=bright)
            found = [
                (float(row.max()), IntensityThreshold(threshold=float(place), channel=channel, bright=bright))
                for row, place in zip(scores, candidates[scores.argmax(axis=1)], strict=True)
            ]
            best = [new if new[0] > old[0] else old for old, new in zip(best or found, found, strict=True)]
    if not best:
        raise InputError("the images have no contrast, so no threshold separates anything")
    return tuple(threshold for _, threshold in best)


@implements("REQ-025", "REQ-340")
def threshold_masks(
    image: Image, thresholds: Sequence[IntensityThreshold], task: SegmentationTask = ONE_CLASS_OF_VOLUMES
) -> tuple[Mask, ...]:
    """The baseline's masks (*grid) of a raw image: where the normalised channel reaches each threshold, from above or below.

    A channel is normalised once, whatever the number of thresholds on it.
    """
    channels = Preprocessor(Preprocessing.of(task)).channels(image)
    normalised = {number: normalise(channels[number]) for number in {one.channel for one in thresholds}}
    return tuple(
        normalised[one.channel] >= np.float32(one.threshold)
        if one.bright
        else normalised[one.channel] <= np.float32(one.threshold)
        for one in thresholds
    )


def _scores(
    images: Sequence[NDArray[np.float32]],
    indices: Sequence[NDArray[np.uint8]],
    units: Sequence[str],
    candidates: NDArray[np.float32],
    *,
    classes: int,
    bright: bool,
) -> NDArray[np.float64]:
    """The mean Dice (classes, candidates) over groups of every threshold of a normalised channel."""
    scores = np.zeros((classes, candidates.size))
    ascending = candidates if bright else -candidates[::-1]
    for image, mask, unit in zip(images, indices, units, strict=True):
        values = image.ravel() if bright else -image.ravel()
        reached = np.searchsorted(ascending, values, side="right")
        for number in range(classes):
            inside = mask.ravel() == number + 1
            scores[number] += _dice_of_all(reached, inside, candidates.size) / units.count(unit)
    return scores if bright else scores[:, ::-1]


def _dice_of_all(reached: NDArray[np.intp], inside: Mask, candidates: int) -> NDArray[np.float64]:
    """Dice of `values >= candidate` for every candidate (ascending), through two histograms.

    Args:
        reached: of each voxel, how many candidates its value reaches.
        inside: whether the voxel is in the reference.
        candidates: their number.
    """
    at_least = _from_above(np.bincount(reached, minlength=candidates + 1))
    overlap = _from_above(np.bincount(reached[inside], minlength=candidates + 1))
    total = at_least + np.count_nonzero(inside)
    return np.where(total > 0, 2.0 * overlap / np.maximum(total, 1), 1.0)


def _from_above(histogram: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many voxels reach each candidate: bin k holds voxels that reach exactly the first k candidates."""
    return np.cumsum(histogram[::-1])[::-1][1:]
