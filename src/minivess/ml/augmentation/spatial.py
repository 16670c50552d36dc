"""Rotation, scale and elastic change of a place in a case, in one resampling.

Voxels that the change needs from beside the patch are read from the case. Beyond its faces the case is mirrored, as `pad_to`
does. Images are interpolated linearly, masks by the nearest voxel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.augmentation.frame import Frame
from minivess.ml.augmentation.patches import Image, Label, Patches
from minivess.ml.augmentation.smooth_fields import smooth_field
from minivess.ml.augmentation.strengths import NEVER, Draw

CELLS = 4
"""Cells of control points along the longest side of a patch."""

Coordinates = NDArray[np.float32]
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class SpatialChange:
    """Cuts a patch, with a random change in space.

    Volumes with thick slices change within their slices alone. Angles are those of the physical space.

    Attributes:
        frame: the grid of the patch.
        rotation: degrees about each axis; uniform in both directions.
        scale: how many times larger structures get; uniform in the logarithm, the same along all axes.
        elastic: largest displacement of a control point in cells of control points. Up to 0.40 the change folds nothing
            (Choi & Lee 2000, Graphical Models 62:411).
    """

    frame: Frame
    rotation: Draw = NEVER
    scale: Draw = NEVER
    elastic: Draw = NEVER

    @implements("REQ-353", "RC-147")
    def __call__(self, rng: np.random.Generator, image: Image, label: Label, start: Sequence[int]) -> Patches:
        """A patch at a place of a case; a view of the case where no change is drawn.

        Args:
            rng: draws the change.
            image: of the whole case, (channels, *grid).
            label: of the whole case, (*grid).
            start: first voxel of the patch, inside the grid.
        """
        frame = self.frame
        turn = self.rotation.happens(rng)
        resize = self.scale.happens(rng)
        bend = self.elastic.happens(rng)
        if not (turn or resize or bend):
            place = tuple(slice(int(first), int(first) + side) for first, side in zip(start, frame.patch, strict=True))
            return image[(slice(None), *place)], label[place]
        even = frame.even
        steps = np.array([frame.steps[axis] for axis in even])
        matrix = _rotation([self.rotation.within(rng) for _ in _planes(len(even))]) if turn else np.eye(len(even))
        matrix = matrix * steps / steps[:, np.newaxis]
        if resize:
            matrix /= math.exp(rng.uniform(math.log(self.scale.low), math.log(self.scale.high)))
        sides = [frame.patch[axis] for axis in even]
        offsets: list[NDArray[np.float32]] = [
            (np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)).reshape(_along(axis, len(even)))
            for axis, side in enumerate(sides)
        ]
        if bend:
            offsets = _bent(rng, offsets, sides, steps, rng.uniform(self.elastic.low, self.elastic.high))
        centre = [start[axis] + (frame.patch[axis] - 1) / 2 for axis in even]
        where = np.empty((len(even), *sides), np.float32)
        for number, (row, middle) in enumerate(zip(matrix.astype(np.float32), centre, strict=True)):
            where[number] = np.float32(middle)
            for factor, offset in zip(row, offsets, strict=True):
                where[number] += factor * offset
        if len(even) == 3:
            return _in_volume(image, where), _nearest(label, where)
        if frame.thick is None:
            return _in_plane(image, where), _nearest(label, where)
        chosen = slice(int(start[frame.thick]), int(start[frame.thick]) + frame.patch[frame.thick])
        slices, masks = np.moveaxis(image, frame.thick + 1, 1)[:, chosen], np.moveaxis(label, frame.thick, 0)[chosen]
        made, mask = _in_plane(slices, where), _nearest(masks, where)
        return np.moveaxis(made, 1, frame.thick + 1), np.moveaxis(mask, 0, frame.thick)


def _bent(
    rng: np.random.Generator,
    offsets: Sequence[NDArray[np.float32]],
    sides: Sequence[int],
    steps: NDArray[np.float64],
    largest: float,
) -> list[NDArray[np.float32]]:
    """Offsets from the centre plus a smooth displacement."""
    lengths = np.array(sides) * steps
    cells = [max(1, round(CELLS * length / lengths.max())) for length in lengths]
    return [
        offset + smooth_field(rng, sides, cells, largest * side / count)
        for offset, side, count in zip(offsets, sides, cells, strict=True)
    ]


def _planes(axes: int) -> tuple[tuple[int, int], ...]:
    """The planes in which a patch is turned, one after the other."""
    return ((0, 1),) if axes == 2 else ((1, 2), (0, 2), (0, 1))


def _rotation(degrees: Sequence[float]) -> NDArray[np.float64]:
    """The product of turns in the planes of 2 or 3 axes."""
    axes = 2 if len(degrees) == 1 else 3
    whole = np.eye(axes)
    for (one, other), angle in zip(_planes(axes), degrees, strict=True):
        turn = np.eye(axes)
        sine, turn[one, one] = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        turn[other, other], turn[one, other], turn[other, one] = turn[one, one], -sine, sine
        whole = whole @ turn
    return whole


def _along(axis: int, axes: int) -> tuple[int, ...]:
    return tuple(-1 if number == axis else 1 for number in range(axes))


def _in_volume(image: Image, where: Coordinates) -> Image:
    """Linear interpolation of each channel (z, y, x) at places (3, *patch)."""
    from scipy import ndimage

    made = np.empty((image.shape[0], *where.shape[1:]), np.float32)
    for channel, out in zip(image, made, strict=True):
        ndimage.map_coordinates(channel, where, out, order=1, mode="mirror", prefilter=False)
    return made


def _in_plane(image: Image, where: Coordinates) -> Image:
    """Linear interpolation of the last two axes at places (2, *patch), the same for all channels and slices.

    Weights are computed once, which takes a third of the time of `map_coordinates` for each slice (ADR 52).
    """
    floor = np.floor(where)
    far, near = where - floor, floor + 1 - where
    low = floor.astype(np.int32)
    size = image.shape[-2:]
    y = [_mirrored(low[0] + step, size[0]) for step in (0, 1)]
    x = [_mirrored(low[1] + step, size[1]) for step in (0, 1)]
    top, left = min(map(np.min, y)), min(map(np.min, x))
    box = image[..., top : max(map(np.max, y)) + 1, left : max(map(np.max, x)) + 1]
    flat = box.reshape(*box.shape[:-2], -1)
    made = np.zeros((*box.shape[:-2], *where.shape[1:]), np.float32)
    for row, tall in zip(y, (near[0], far[0]), strict=True):
        for column, wide in zip(x, (near[1], far[1]), strict=True):
            part = flat.take((row - top) * box.shape[-1] + (column - left), axis=-1)
            part *= tall * wide
            made += part
    return made


def _nearest(label: Label, where: Coordinates) -> Label:
    """The nearest voxel at places (axes, *patch) of the last axes of a mask."""
    before = label.ndim - len(where)
    box: list[slice] = [slice(None)] * before
    flat = np.zeros(where.shape[1:], np.int32)
    for along, size in zip(
        where, label.shape[before:], strict=True
    ):  # one number in a box instead of one an axis: faster
        inside = _mirrored(np.floor(along + np.float32(0.5)).astype(np.int32), size)
        first, last = int(inside.min()), int(inside.max())
        box.append(slice(first, last + 1))
        flat *= last + 1 - first
        flat += inside - first
    part = label[tuple(box)]
    return part.reshape(*part.shape[:before], -1).take(flat, axis=-1)


def _mirrored(numbers: Numbers, size: int) -> Numbers:
    """Numbers of voxels inside 0 to size, mirrored at the middles of the first and of the last voxel."""
    if size == 1:
        return np.zeros_like(numbers)
    last = size - 1
    while numbers.min() < 0 or numbers.max() > last:
        numbers = last - np.abs(last - np.abs(numbers))
    return numbers
