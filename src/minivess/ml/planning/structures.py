"""What the classes of a data set look like: how wide, how long for their width, how rare. NumPy and SciPy.

The width of a structure is the local thickness of Hildebrand & Rüegsegger (1997, J. Microsc. 185:67), taken on the ridge of
the distance transform: twice the distance to the nearest background voxel, less half a voxel (a structure of two voxels and
one of one voxel have the same distance).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements

LARGEST_WINDOW = 1 << 21
"""Voxels of a mask in which widths are measured; of a larger one, a window around the middle of the structure."""

LONG = 30.0
"""From this many widths on, a structure counts as long. Measured: hippocampus 5 to 20, an aorta 15, cortical vessels 48 to
364, retinal vessels 280 to 630, polyps 1 to 3."""

APART = 0.1
"""Two classes are apart when their centres differ by this share of the side of the image."""
FEWEST_SIDES = 5
"""Cases that are needed: by chance two classes are in one order in five of five cases in one of sixteen sets, for each axis."""

NARROW_VOXELS = 5.0
"""Below this many voxels across, a mask that is shifted by one voxel changes the Dice by a fifth or more."""


@dataclass(frozen=True)
class ClassShape:
    """One class over the cases that were examined.

    Attributes:
        name: of the class.
        width: the median over cases of the width, in the unit of the spacing.
        voxels_across: the same in voxels of the finest axis.
        lengths: the median of the length of the largest part, in widths: below 1 for a ball, many for vessels.
        share: the median share of the image.
        parts: the median number of connected parts of a case.
        absent: in how many cases it is absent.
        cases: how many cases were examined.
    """

    name: str
    width: float
    voxels_across: float
    lengths: float
    share: float
    parts: int
    absent: int
    cases: int

    @property
    def long(self) -> bool:
        """Whether it is many times longer than wide: vessels, airways, nerves."""
        return self.lengths >= LONG

    @property
    def narrow(self) -> bool:
        """Whether it is few voxels wide."""
        return self.voxels_across < NARROW_VOXELS


@dataclass(frozen=True)
class CaseStructure:
    """One class in one case.

    Attributes:
        width: in the unit of the spacing; None where the class is absent.
        lengths: of the largest part, in widths; None likewise.
        share: of the image.
        parts: connected parts, specks left out.
        voxels_across: the width in voxels of the finest axis; None where the class is absent.
        centre: the mean place of its voxels, along each axis as a share of the side; None where the class is absent.
    """

    width: float | None
    lengths: float | None
    share: float
    parts: int
    voxels_across: float | None
    centre: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Side:
    """Two classes that are in one order along an axis.

    Attributes:
        one: the class at the lower coordinates.
        other: the class at the higher coordinates.
        axis: its letter.
        cases: how many cases were examined.
    """

    one: str
    other: str
    axis: str
    cases: int


def structure_of(mask: NDArray[np.bool_], spacing: Sequence[float], *, parts: int, largest: int) -> CaseStructure:
    """Measure one class in one case.

    Args:
        mask: the voxels of the class.
        spacing: along each axis, in one unit.
        parts: connected parts of the class in the case, specks left out.
        largest: voxels of the largest part.
    """
    number = int(np.count_nonzero(mask))
    if not number:
        return CaseStructure(width=None, lengths=None, share=0.0, parts=0, voxels_across=None)
    width = width_of(mask, spacing)
    across = math.pi / 4 * width**2 if mask.ndim == 3 else width  # what a tube of one length and this width takes
    return CaseStructure(
        width=width,
        lengths=largest * math.prod(spacing) / across / width,
        share=number / mask.size,
        parts=parts,
        voxels_across=width / min(spacing),
        centre=tuple(float(np.mean(found)) / side for found, side in zip(np.nonzero(mask), mask.shape, strict=True)),
    )


def width_of(mask: NDArray[np.bool_], spacing: Sequence[float]) -> float:
    """The width of a structure in the unit of the spacing; at least one voxel of the finest axis.

    The ridge of the distance transform, each voxel of it weighted by the ball it stands for, so that corners of a round
    structure do not count.

    Args:
        mask: at least one voxel is set.
        spacing: along each axis.
    """
    from scipy import ndimage

    inside = np.pad(mask[_window(mask)], 1)
    depth = ndimage.distance_transform_edt(inside, sampling=tuple(spacing))
    ridge = depth[(depth > 0) & (depth >= ndimage.maximum_filter(depth, size=3))]
    ridge.sort()
    weights = np.cumsum(ridge**mask.ndim)
    middle = float(ridge[int(np.searchsorted(weights, weights[-1] / 2))])
    return 2 * middle - min(spacing) / 2


def _window(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The box around a structure, cut to `LARGEST_WINDOW` voxels around its middle."""
    box = []
    for axis in range(mask.ndim):
        found = np.flatnonzero(mask.any(axis=tuple(one for one in range(mask.ndim) if one != axis)))
        box.append([int(found[0]), int(found[-1]) + 1])
    while math.prod(high - low for low, high in box) > LARGEST_WINDOW:
        longest = max(box, key=lambda side: side[1] - side[0])
        cut = max(1, (longest[1] - longest[0]) // 8)
        longest[0], longest[1] = longest[0] + cut, longest[1] - cut
    window = tuple(slice(low, high) for low, high in box)
    return window if mask[window].any() else tuple(slice(0, side) for side in mask.shape)


def class_shapes(found: Mapping[str, Iterable[CaseStructure]]) -> tuple[ClassShape, ...]:
    """The classes over all examined cases, in the order of the mapping.

    A class that no case has gets no shape.
    """
    made = []
    for name, cases in found.items():
        every = list(cases)
        there = [one for one in every if one.width is not None]
        if not there:
            continue
        made.append(
            ClassShape(
                name=name,
                width=median(one.width for one in there if one.width is not None),
                voxels_across=median(one.voxels_across for one in there if one.voxels_across is not None),
                lengths=median(one.lengths for one in there if one.lengths is not None),
                share=median(one.share for one in there),
                parts=round(median(one.parts for one in there)),
                absent=len(every) - len(there),
                cases=len(every),
            )
        )
    return tuple(made)


@implements("REQ-334")
def constant_side(found: Mapping[str, Sequence[CaseStructure]], axes: str) -> Side | None:
    """The two classes, and the axis, that are apart in one order in every examined case; None where there are none.

    Of several, those whose least distance over the cases is the largest share of the image.

    Args:
        found: the cases of each class, in the same order for all classes.
        axes: their letters.
    """
    best, made = APART, None
    for (one, first), (other, second) in itertools.combinations(found.items(), 2):
        pairs = [(a.centre, b.centre) for a, b in zip(first, second, strict=True) if a.centre and b.centre]
        if len(pairs) < max(FEWEST_SIDES, len(first)):
            continue
        for number, axis in enumerate(axes):
            steps = [b[number] - a[number] for a, b in pairs]
            for low, high, least in ((one, other, min(steps)), (other, one, -max(steps))):
                if least >= best:
                    best, made = least, Side(low, high, axis, len(pairs))
    return made
