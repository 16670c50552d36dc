"""How large a class is in a mask: volume or area, components, and extent."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.measures.shapes.runs import Components, components_of
from minivess.records.evaluation.counted.class_size import ClassSize
from minivess.records.lengths import MICROMETRES, MM_FROM

_AT_A_TIME = 1 << 20
"""Voxels that are compared at a time."""
_POWER: dict[int, Literal["²", "³"]] = {2: "²", 3: "³"}


@implements("REQ-433")
def class_size(mask: NDArray[np.uint8], value: int, spacing: tuple[float, ...] | None) -> ClassSize:
    """Sizes of a class in a mask.

    Args:
        mask: (z, y, x) or (y, x) with the values of classes.
        value: of the class.
        spacing: micrometres along each axis; None where no physical size is known. Sizes are in millimetres where the
            smallest spacing is at least 100 µm, as lengths are shown elsewhere.
    """
    steps, name = _steps(spacing, mask.ndim)
    box, count = _box(mask, value)
    sides = tuple(one.stop - one.start for one in box)
    found = components_of(mask[box] == value) if count else Components(0, 0)
    each = math.prod(steps)
    return ClassSize.model_validate(
        {
            "voxels": count,
            "size": count * each,
            "size_unit": f"{name}{_POWER[mask.ndim]}" if spacing is not None else name,
            "components": found.number,
            "largest_component": found.largest * each,
            "extent": tuple(side * step for side, step in zip(sides, steps, strict=True)),
            "extent_unit": name,
        }
    )


def _steps(spacing: tuple[float, ...] | None, axes: int) -> tuple[tuple[float, ...], str]:
    """The voxel size, and the name of its unit."""
    if spacing is None:
        return (1.0,) * axes, "voxel" if axes == 3 else "px"
    if min(spacing) >= MM_FROM:
        return tuple(one / MICROMETRES["mm"] for one in spacing), "mm"
    return spacing, "µm"


def _box(mask: NDArray[np.uint8], value: int) -> tuple[tuple[slice, ...], int]:
    """The smallest box that holds a class, and its voxels; some planes at a time, so that little memory is needed."""
    count, ends = 0, [(0, 0)] * mask.ndim
    seen = [np.zeros(side, np.bool_) for side in mask.shape]
    step = max(1, _AT_A_TIME // max(1, mask[0].size))
    others = tuple(range(1, mask.ndim))
    for start in range(0, len(mask), step):
        inside = mask[start : start + step] == value
        here = int(np.count_nonzero(inside))
        if here:
            count += here
            seen[0][start : start + step] = inside.any(axis=others)
            flat = inside.any(axis=0)
            for axis in others:
                seen[axis] |= flat.any(axis=tuple(one - 1 for one in others if one != axis))
    if count:
        ends = [(int(one.argmax()), len(one) - int(one[::-1].argmax())) for one in seen]
    return tuple(slice(start, stop) for start, stop in ends), count
