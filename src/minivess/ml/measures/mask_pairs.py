"""The mask pair every measure starts from: same shape, binary, and cut to the box that holds any foreground."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError

Mask = NDArray[np.bool_]


def mask_pair(prediction: NDArray[Any], reference: NDArray[Any]) -> tuple[Mask, Mask]:
    """Both masks as booleans.

    Args:
        prediction: binary mask (z, y, x) or (y, x).
        reference: binary mask of the same shape.

    Raises:
        InputError: the shapes differ, a mask is neither a volume nor a plane, or a value is neither 0 nor 1.
    """
    if prediction.shape != reference.shape:
        raise InputError(
            f"prediction has shape {prediction.shape}, reference {reference.shape}",
            hint="both masks must be on the same voxel grid",
        )
    return _binary(prediction), _binary(reference)


def crop_pair(prediction: Mask, reference: Mask) -> tuple[Mask, Mask]:
    """Both masks cut to the smallest box that holds the foreground of either (unchanged when both are empty).

    Borders, distances between borders and skeletons are the same in the box as in the volume: what lies outside the box
    is background, and background beyond the box counts like background beyond the volume's edge.
    """
    box = box_of(prediction, reference)
    return prediction[box], reference[box]


def box_of(prediction: Mask, reference: Mask) -> tuple[slice, ...]:
    """The place of the smallest box that holds the foreground of either; of the whole grid when both are empty."""
    either = prediction | reference
    box = []
    for axis in range(either.ndim):
        hit = np.flatnonzero(either.any(axis=tuple(other for other in range(either.ndim) if other != axis)))
        if hit.size == 0:
            return (slice(None),) * either.ndim
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def _binary(mask: NDArray[Any]) -> Mask:
    if mask.ndim not in (2, 3):
        raise InputError(f"a mask has three axes (z, y, x) or two (y, x), not {mask.ndim}")
    if mask.dtype == np.bool_:
        return mask
    if not np.all((mask == 0) | (mask == 1)):
        raise InputError(
            "a mask holds 0 and 1 only", hint="threshold probabilities, and merge label values, beforehand"
        )
    return mask.astype(np.bool_)
