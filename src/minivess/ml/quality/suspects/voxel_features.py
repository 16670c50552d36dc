"""What a simple classifier gets to know of each voxel: brightness, edges and ridges at several scales, and its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
"""(features, *grid) of an image, or (features, voxels)."""

SCALES = (1.0, 2.0, 4.0)
"""Standard deviations of the Gaussians, in sides of the voxel's shortest side."""


def voxel_features(image: NDArray[np.generic], axes: int, spacing: Sequence[float]) -> Features:
    """The features of each voxel, (features, *grid).

    For each channel, scaled by its mean and deviation: the value, and at each scale the smoothed value, the length of its
    gradient, and the largest and the smallest eigenvalue of its Hessian (Frangi et al. 1998). Beside them the place
    along each axis, from -1 to 1.

    Args:
        image: raw, (*grid) or (*grid, channels).
        axes: 2 or 3.
        spacing: along each spatial axis, in any unit.
    """
    values = np.asarray(image, np.float32)
    channels = np.moveaxis(values, -1, 0) if values.ndim > axes else values[np.newaxis]
    held: list[NDArray[np.float32]] = []
    for channel in channels:
        scaled = (channel - channel.mean()) / max(float(channel.std()), 1e-6)
        held.append(scaled)
        for scale in SCALES:
            held += _at_scale(scaled, [scale * min(spacing) / step for step in spacing])
    held += _places(channels.shape[1:])
    return np.stack(held).astype(np.float32, copy=False)


def _at_scale(image: NDArray[np.float32], deviations: Sequence[float]) -> Iterator[NDArray[np.float32]]:
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(image, deviations, mode="nearest")
    yield smooth
    steps = [1 / max(deviation, 0.3) for deviation in deviations]  # of voxels, so that slopes are those of the scale
    slopes = [
        np.gradient(smooth, step, axis=axis) if smooth.shape[axis] > 1 else np.zeros_like(smooth)
        for axis, step in enumerate(steps)
    ]
    yield np.sqrt(np.sum([slope**2 for slope in slopes], axis=0, dtype=np.float32))
    size = smooth.ndim
    hessian = np.zeros((*smooth.shape, size, size), np.float32)
    for one, other in combinations_with_replacement(range(size), 2):
        if smooth.shape[other] > 1:
            curved = np.gradient(slopes[one], steps[other], axis=other)
            hessian[..., one, other] = hessian[..., other, one] = curved
    eigenvalues = np.linalg.eigvalsh(hessian)
    yield eigenvalues[..., -1]
    yield eigenvalues[..., 0]


def _places(grid: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    for axis, side in enumerate(grid):
        line = np.linspace(-1, 1, side, dtype=np.float32) if side > 1 else np.zeros(1, np.float32)
        yield np.broadcast_to(line.reshape([-1 if n == axis else 1 for n in range(len(grid))]), tuple(grid))
