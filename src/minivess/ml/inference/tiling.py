"""Sliding windows outside the graph: NumPy alone, so that serving needs no PyTorch.

Overlapping tiles are blended with a Gaussian weight (sigma an eighth of the patch) as in nnU-Net (Isensee et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import batched, product

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps a batch (n, channels, *patch) of patches to values (n, outputs, *patch)."""

Shape = tuple[int, ...]
"""Sizes along the spatial axes: (z, y, x) or (y, x)."""

_FLOOR = 1e-3
OVERLAP = 0.25


def tile_starts(size: int, patch: int, overlap: float = OVERLAP) -> tuple[int, ...]:
    """Where tiles begin along one axis of `size >= patch`: evenly spread, the first at 0 and the last at the end."""
    step = max(1, int(patch * (1 - overlap)))
    count = math.ceil((size - patch) / step) + 1
    return tuple(round(position) for position in np.linspace(0, size - patch, count))


def tiles_of(grid: Shape, patch: Shape, overlap: float = OVERLAP) -> int:
    """How many tiles an image of `grid` has."""
    sides = zip(grid, patch, strict=True)
    return math.prod(len(tile_starts(max(size, side), side, overlap)) for size, side in sides)


@lru_cache(maxsize=4)
def gaussian_weight(patch: Shape) -> NDArray[np.float32]:
    """Weights of a tile's voxels, read-only: a Gaussian about its centre, at most 1 and never below 0.001."""
    weight = np.ones(patch, dtype=np.float64)
    for axis, side in enumerate(patch):
        offsets = (np.arange(side) - (side - 1) / 2) / (side / 8)
        shape = [1] * len(patch)
        shape[axis] = side
        weight *= np.exp(-0.5 * offsets**2).reshape(shape)
    made: NDArray[np.float32] = np.maximum(weight / weight.max(), _FLOOR).astype(np.float32)
    made.flags.writeable = False
    return made


def pad_to[Pixel: np.generic](values: NDArray[Pixel], patch: Shape) -> tuple[NDArray[Pixel], tuple[slice, ...]]:
    """Reflect an array at its faces until none of its last axes is shorter than the patch.

    Args:
        values: (*grid), or (channels, *grid): the last axes are those of the patch.
        patch: size of a tile in voxels.

    Returns:
        The padded array, and where the original is along the last axes.
    """
    grid = values.shape[values.ndim - len(patch) :]
    widths = [(0, 0)] * (values.ndim - len(patch))
    inner = []
    for size, side in zip(grid, patch, strict=True):
        missing = max(0, side - size)
        before = missing // 2
        widths.append((before, missing - before))
        inner.append(slice(before, before + size))
    padded = np.pad(values, widths, mode="reflect") if any(sum(width) for width in widths) else values
    return padded, tuple(inner)


def sliding_window(
    image: NDArray[np.float32],
    patch: Shape,
    forward: Forward,
    *,
    outputs: int = 1,
    overlap: float = OVERLAP,
    batch: int = 4,
    told: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Apply `forward` to overlapping patches and blend what it returns into one image.

    Args:
        image: (channels, *grid), already preprocessed; images smaller than the patch are reflected at their faces.
        patch: size of a tile in voxels.
        forward: gets (n, channels, *patch) with n up to `batch` and returns (n, outputs, *patch).
        outputs: values a voxel.
        overlap: share of a patch that neighbours share, from 0 up to but not including 1.
        batch: tiles a call.
        told: is told after each call how many tiles are done, and of how many.

    Returns:
        The weighted mean of the tiles, float32 (outputs, *grid).

    Raises:
        UsageError: the overlap or the batch is out of range, or `forward` returned another shape.
    """
    if not 0 <= overlap < 1 or batch < 1:
        raise UsageError(f"overlap {overlap} must be in [0, 1) and batch {batch} be at least 1")
    padded, inner = pad_to(image, patch)
    weight = gaussian_weight(patch)
    grid = padded.shape[1:]
    total = np.zeros((outputs, *grid), dtype=np.float32)
    done, of_all = 0, tiles_of(grid, patch, overlap)
    for places in batched(_places(grid, patch, overlap), batch):
        tiles = np.stack([padded[(slice(None), *place)] for place in places])
        values = forward(np.ascontiguousarray(tiles, dtype=np.float32))
        if values.shape != (len(places), outputs, *patch):
            raise UsageError(f"the network returned shape {values.shape} for patches of shape {tiles.shape}")
        for place, value in zip(places, values, strict=True):
            total[(slice(None), *place)] += weight * value
        done += len(places)
        if told is not None:
            told(done, of_all)
    _divide_by_weights(total, weight, list(_places(grid, patch, overlap)))
    return total[(slice(None), *inner)]


def _divide_by_weights(
    total: NDArray[np.float32], weight: NDArray[np.float32], places: list[tuple[slice, ...]]
) -> None:
    """Divide sums by the weights of all tiles at each voxel, as many planes at a time as a tile has: that needs little memory."""
    depth = weight.shape[0]
    for start in range(0, total.shape[1], depth):
        stop = min(start + depth, total.shape[1])
        weights = np.zeros((stop - start, *total.shape[2:]), dtype=np.float32)
        for first, *others in places:
            low, high = max(first.start, start), min(first.stop, stop)
            if low < high:
                weights[(slice(low - start, high - start), *others)] += weight[low - first.start : high - first.start]
        total[:, start:stop] /= weights


def _places(shape: tuple[int, ...], patch: Shape, overlap: float) -> Iterator[tuple[slice, ...]]:
    """Where each tile is."""
    starts = [tile_starts(size, side, overlap) for size, side in zip(shape, patch, strict=True)]
    for corner in product(*starts):
        yield tuple(slice(start, start + side) for start, side in zip(corner, patch, strict=True))
