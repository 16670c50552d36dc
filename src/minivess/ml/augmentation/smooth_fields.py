"""Random fields without detail: cubic B-splines over a few control points (Rueckert et al. 1999, IEEE TMI 18:712).

Sums are made by `numpy.einsum`, never by BLAS, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def smooth_field(
    rng: np.random.Generator, shape: Sequence[int], cells: Sequence[int], largest: float
) -> NDArray[np.float32]:
    """A field over a grid, with values between -largest and largest.

    Args:
        rng: draws the control points uniformly.
        shape: of the grid, 2 or 3 axes.
        cells: of control points along each axis; there are 3 more points than cells.
        largest: value of a control point.
    """
    field = rng.uniform(-largest, largest, [count + 3 for count in cells]).astype(np.float32)
    for axis in reversed(range(len(shape))):  # the last axis first: it is contiguous
        weights = _weights(shape[axis], cells[axis])
        field = np.moveaxis(np.einsum("ij,...j->...i", weights, np.moveaxis(field, axis, -1)), -1, axis)
    return np.ascontiguousarray(field)


@lru_cache(maxsize=64)
def _weights(side: int, cells: int) -> NDArray[np.float32]:
    """Weight (side, cells + 3) of each control point at each voxel."""
    place = (np.arange(side) + 0.5) * cells / side
    cell = np.minimum(place.astype(np.intp), cells - 1)
    t = place - cell
    basis = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    weights = np.zeros((side, cells + 3), np.float32)
    weights[np.arange(side)[:, np.newaxis], cell[:, np.newaxis] + np.arange(4)] = basis
    weights.setflags(write=False)
    return weights
