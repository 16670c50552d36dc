"""Another grid over the same extent: images and logits linearly, labels by the nearest voxel.

A voxel is a box, not a point: the first and the last voxel of both grids end at the same faces. The size along an axis is
the extent over the wanted spacing, rounded, so that the spacing met is within half a voxel of the extent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

LARGEST = 1 << 31
"""Voxels of a resampled channel."""


def grid_of(grid: Sequence[int], spacing: Sequence[float], target: Sequence[float]) -> tuple[int, ...]:
    """The size of a grid with another spacing.

    Args:
        grid: sizes in voxels.
        spacing: of this grid, in any unit.
        target: the wanted spacing, in the same unit.

    Raises:
        InputError: it would have more than 2^31 voxels.
    """
    sides = tuple(max(1, round(size * step / wanted)) for size, step, wanted in zip(grid, spacing, target, strict=True))
    if np.prod([float(side) for side in sides]) > LARGEST:
        raise InputError(
            f"the image would have {' x '.join(map(str, sides))} voxels at the spacing of the model",
            hint="check its spacing",
        )
    return sides


@implements("RC-145")
def resample(values: NDArray[np.float32], grid: Sequence[int]) -> NDArray[np.float32]:
    """Each of several channels on another grid, by linear interpolation.

    Args:
        values: (channels, *old grid).
        grid: the new sizes.
    """
    if values.shape[1:] == tuple(grid):
        return values
    made = np.empty((values.shape[0], *grid), np.float32)
    for channel, out in zip(values, made, strict=True):
        _zoom(channel, out, order=1)
    return made


def resample_labels(mask: NDArray[np.uint8], grid: Sequence[int]) -> NDArray[np.uint8]:
    """A mask on another grid: each voxel has the value of the nearest one."""
    if mask.shape == tuple(grid):
        return mask
    made = np.empty(tuple(grid), np.uint8)
    _zoom(mask, made, order=0)
    return made


def _zoom(values: NDArray[np.generic], out: NDArray[np.generic], *, order: int) -> None:
    from scipy import ndimage

    factors = [new / old for new, old in zip(out.shape, values.shape, strict=True)]
    ndimage.zoom(values, factors, output=out, order=order, mode="nearest", grid_mode=True, prefilter=False)
