"""Outlines and areas of two masks as small pictures, in colours that all eyes tell apart.

The colours are those of Okabe & Ito (2008). They have the same meaning in every picture of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

REFERENCE, PREDICTION, BOTH, ANOTHER = "#56B4E9", "#D55E00", "#F0E442", "#CC79A7"
"""What is in the reference alone, in the prediction alone, in both, and in both with different classes."""

Mask = NDArray[np.uint8]
"""Numbers of classes from 1, 0 for background."""


def rgb(colour: str) -> tuple[int, int, int]:
    """The parts of `#rrggbb`, from 0 to 255."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def outlines(reference: Mask, prediction: Mask, shape: tuple[int, int]) -> Mask:
    """The outlines of two masks (rows, columns) in a picture of `shape`.

    A mask is enlarged before its outline is taken, so that lines stay thin, and reduced after, so that no line is lost: a
    pixel of the picture has a line where any of the pixels that it stands for has.

    Returns:
        1 on lines of the reference, 2 on lines of the prediction, 3 where both have a line, else 0.
    """
    grown = tuple(max(size, wanted) for size, wanted in zip(reference.shape, shape, strict=True))
    lines = _line(_enlarged(reference, grown)) | (_line(_enlarged(prediction, grown)) << 1)
    for axis, size in enumerate(shape):
        if size < lines.shape[axis]:
            starts = np.arange(size) * lines.shape[axis] // size
            lines = np.bitwise_or.reduceat(lines, starts, axis=axis)
    return np.asarray(lines, np.uint8)


def _enlarged(mask: Mask, shape: Sequence[int]) -> Mask:
    rows, columns = (np.arange(wanted) * size // wanted for size, wanted in zip(mask.shape, shape, strict=True))
    return np.asarray(mask[rows][:, columns])


def _line(mask: Mask) -> Mask:
    """Pixels of a class with another value beside them (4 neighbours); beyond the picture is background."""
    around = np.pad(mask, 1)
    edge = np.zeros(mask.shape, np.bool_)
    for beside in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
        edge |= beside != mask
    return np.asarray(edge & (mask != 0), np.uint8)


def differences(reference: Mask, prediction: Mask, axis: int) -> NDArray[np.float32]:
    """Both masks (z, y, x) seen along an axis, or both masks (y, x), as colours (rows, columns, 3) from 0 to 255 on black.

    A pixel has the colour of what is most frequent along the axis: of equal ones an error comes before agreement. It is the
    brighter the more voxels of this kind there are.
    """
    flat = reference.ndim == 2
    kinds = (
        (REFERENCE, (reference != 0) & (prediction == 0)),
        (PREDICTION, (reference == 0) & (prediction != 0)),
        (ANOTHER, (reference != prediction) & (reference != 0) & (prediction != 0)),
        (BOTH, (reference == prediction) & (reference != 0)),
    )
    counts = np.concatenate([_along(one, axis, flat=flat) for _, one in kinds], axis=-1)
    largest = counts.max(axis=-1, keepdims=True)
    hue = np.array([rgb(colour) for colour, _ in kinds], np.float32)[counts.argmax(axis=-1)]
    full = max(float(np.percentile(largest[largest > 0], 90)) if largest.any() else 1.0, 1.0)
    strength = np.where(largest > 0, np.clip(0.45 + 0.55 * largest / full, 0, 1), 0)
    return np.asarray(hue * strength, np.float32)


def painted(mask: Mask, colours: Sequence[str], axis: int) -> NDArray[np.float32]:
    """A mask seen along an axis, each class in its colour, mixed by the number of voxels; (rows, columns, 3) on black."""
    flat = mask.ndim == 2
    thick = [_along(mask == number, axis, flat=flat) for number in range(1, len(colours) + 1)]
    total = np.sum(thick, axis=0)
    hue = np.sum([one * np.array(rgb(colour)) for one, colour in zip(thick, colours, strict=True)], axis=0)
    return np.asarray(hue / np.maximum(total, 1), np.float32)


def _along(mask: NDArray[np.bool_], axis: int, *, flat: bool) -> NDArray[Any]:
    """Voxels along an axis (rows, columns, 1), or 0 and 1 of a plane."""
    counted = mask.astype(np.float32) if flat else np.count_nonzero(mask, axis=axis).astype(np.float32)
    return counted[..., np.newaxis]
