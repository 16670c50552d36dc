"""Where voxels lie: affines from array indices (z, y, x, 1) to right-anterior-superior in micrometres."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.volume import Spacing, Volume
from minivess.records.data.dataset import Row

Affine = npt.NDArray[np.float64]

_SAME = 0.05
"""Largest difference of two positions that count as one, in voxels."""
_SHEARED = 0.02
"""Largest cosine between two axes: a little more than one degree."""


def from_xyz(affine: Affine, *, scale: float = 1.0, lps: bool = False) -> Affine:
    """An affine from indices (x, y, z, 1), in some unit, as one from indices (z, y, x, 1).

    Args:
        affine: 4 by 4.
        scale: micrometres in its unit.
        lps: whether its world is left-posterior-superior (DICOM, most NRRD) and not right-anterior-superior (NIfTI).
    """
    made = np.array(affine[:, [2, 1, 0, 3]], dtype=np.float64)
    made[:3] *= scale
    if lps:
        made[:2] *= -1
    made[3] = (0, 0, 0, 1)
    return made


def check_affine(affine: Affine, path: Path) -> Affine:
    """An affine must be finite, and its axes must not lie in one plane.

    Raises:
        InputError: it is not so.
    """
    if not np.isfinite(affine).all() or float(np.abs(affine).max()) > 1e12:
        raise InputError(
            "the orientation matrix is not finite",
            path=path,
            hint="correct the file's header",
            rule="transform-impossible",
        )
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() <= 0 or abs(float(np.linalg.det(affine[:3, :3] / lengths))) < 1e-3:
        raise InputError(
            "the orientation matrix puts two axes in one",
            path=path,
            hint="correct the file's header",
            rule="transform-impossible",
        )
    along = affine[:3, :3] / lengths
    sheared = float(np.abs(along.T @ along - np.eye(3)).max())
    if sheared > _SHEARED:
        raise contradiction(
            "transform-sheared",
            f"two of its axes meet at {math.degrees(math.acos(min(sheared, 1.0))):.1f} degrees, not at a right angle",
            path,
            "resample it to a grid of right angles",
        )
    return affine


def spacing_of(affine: Affine, axes: int) -> Spacing:
    """Distances between neighbours along the last `axes` array axes."""
    return tuple(round(float(step), 6) for step in np.linalg.norm(affine[:3, :3], axis=0)[3 - axes :])


def orientation_of(affine: Affine) -> str | None:
    """Where each array axis points, for example `SPL` (as nibabel judges it); None for an odd matrix."""
    from nibabel.orientations import aff2axcodes

    codes = aff2axcodes(affine)
    return None if any(code is None for code in codes) else "".join(str(code) for code in codes)


def rows_of(affine: Affine) -> tuple[Row, Row, Row, Row]:
    """An affine as a record holds it."""
    rows = [tuple(round(float(value), 6) + 0.0 for value in row) for row in affine]
    return rows[0], rows[1], rows[2], rows[3]  # type: ignore[return-value]


def lay_on(label: Volume, image: Volume, path: Path) -> npt.NDArray[np.generic]:
    """A mask that covers a part of its image's grid, laid on the whole of it by position; nothing is resampled.

    Returns:
        An array of the image's grid, 0 where the mask says nothing.

    Raises:
        InputError: either does not say where it lies, the grids do not fit, or marked voxels are outside the image.
    """
    if image.affine is None or label.affine is None:
        raise InputError(
            "the image has no position", path=path, hint="segment the DICOM series itself", rule="place-differs"
        )
    grid = deep(image.grid)
    step = np.linalg.inv(image.affine) @ label.affine
    turn = np.rint(step[:3, :3])
    if (
        np.abs(step[:3, :3] - turn).max() > 1e-3
        or not np.array_equal(np.abs(turn).sum(axis=0), [1, 1, 1])
        or not np.array_equal(np.abs(turn).sum(axis=1), [1, 1, 1])
        or np.abs(step[:3, 3] - np.rint(step[:3, 3])).max() > _SAME
        or np.abs(step[:3, 3]).max() > 1e9
    ):
        raise InputError(
            "the segments are not on the image's grid",
            path=path,
            hint="is this the image they were drawn on?",
            rule="place-differs",
        )
    order = [int(np.flatnonzero(turn[axis])[0]) for axis in range(3)]
    part = label.array.transpose(order)
    take, put = [], []
    for axis in range(3):
        first, size = int(np.rint(step[axis, 3])), part.shape[axis]
        if turn[axis, order[axis]] < 0:
            part, first = np.flip(part, axis), first - size + 1
        low, high = max(first, 0), min(first + size, grid[axis])
        take.append(slice(max(low - first, 0), max(high - first, 0)))
        put.append(slice(low, max(high, low)))
    inside = part[tuple(take)]
    if np.count_nonzero(inside) != np.count_nonzero(part):
        raise InputError(
            "marked voxels are outside the image",
            path=path,
            hint="is this the image they were drawn on?",
            rule="place-differs",
        )
    out = np.zeros(grid, dtype=label.array.dtype)
    out[tuple(put)] = inside
    return out.reshape(image.grid)


def deep(grid: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with three axes: a picture is one plane."""
    return grid if len(grid) == 3 else (1, *grid)
