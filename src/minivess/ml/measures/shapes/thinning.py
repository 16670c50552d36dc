"""Thinning of binary masks to lines of one voxel, which never removes a component.

A voxel of a mask is *simple* when its removal keeps the topology: its foreground neighbours (26) are one component, and
so are its background neighbours (6, within the 18 nearest) that touch one of its faces (Malandain & Bertrand, Fast
characterization of 3D simple points, ICPR 1992). Voxels are removed in eight subfields, by whether each coordinate is odd.
No two voxels of a subfield are neighbours, so that removing all simple ones at once is the same as one after the other
(Bertrand & Aktouf, A three-dimensional thinning algorithm using subfields, SPIE 2356, 1994).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from minivess.ml.measures.mask_pairs import Mask

_STEPS = tuple(step for step in product((-1, 0, 1), repeat=3) if any(step))
"""The 26 neighbours (z, y, x). Bit i of a neighbourhood says whether neighbour i is foreground."""
_BITS = 1 << np.arange(len(_STEPS), dtype=np.int64)


def _bits(places: Iterable[int]) -> int:
    return sum(1 << place for place in places)


def _adjacent(connectivity: Literal[6, 26]) -> tuple[int, ...]:
    """Which of the 26 neighbours are neighbours of each of them."""
    apart = np.abs(np.subtract.outer(_STEPS, _STEPS).diagonal(axis1=1, axis2=3))
    distances = apart.sum(axis=2) if connectivity == 6 else apart.max(axis=2)
    return tuple(_bits(np.flatnonzero(row == 1).tolist()) for row in distances)


_FACES = tuple(place for place, step in enumerate(_STEPS) if sum(map(abs, step)) == 1)
_NEAREST_18 = _bits(place for place, step in enumerate(_STEPS) if sum(map(abs, step)) <= 2)
_ADJACENT = {6: _adjacent(6), 26: _adjacent(26)}


def components(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """The 26-connected components of a mask (z, y, x), or the 8-connected ones of a plane: labels from 1, and how many."""
    labels, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim, np.bool_))
    return labels.astype(np.int32, copy=False), int(count)


def thin(mask: Mask) -> Mask:
    """The lines of a binary mask (z, y, x), one voxel wide.

    Every component keeps its topology, at least one voxel, and the ends of its lines. The lines of a component depend on
    nothing outside it and not on where it is. A turned or flipped component of even width can keep the other one of its
    two middle voxels.
    """
    labels, count = components(mask)
    if count == 0:
        return mask.copy()
    padded = np.zeros(np.add(mask.shape, 2), np.bool_)
    padded[1:-1, 1:-1, 1:-1] = mask
    filled = padded.reshape(-1)
    shifts = np.array(_STEPS) @ (np.array(padded.strides) // padded.itemsize)
    starts = np.array([[axis.start for axis in box] for box in ndimage.find_objects(labels)])
    places = np.argwhere(mask)
    odd = (places - starts[labels[mask] - 1]) % 2
    subfields = odd @ np.array([4, 2, 1])
    voxels = np.flatnonzero(filled)
    while True:
        outside = ~filled[voxels[:, np.newaxis] + shifts[list(_FACES)]].all(axis=1)
        removed = sum(
            _remove(filled, voxels[outside & (subfields == subfield)], shifts) for subfield in np.unique(subfields)
        )
        if not removed:
            return padded[1:-1, 1:-1, 1:-1]
        kept = filled[voxels]
        voxels, subfields = voxels[kept], subfields[kept]


def _remove(filled: NDArray[np.bool_], voxels: NDArray[np.intp], shifts: NDArray[np.intp]) -> int:
    """Remove the simple voxels of a subfield that are no end of a line; how many were removed."""
    around = filled[voxels[:, np.newaxis] + shifts] @ _BITS
    kinds, which = np.unique(around, return_inverse=True)
    removable = np.array([kind.bit_count() > 1 and _simple(kind) for kind in kinds.tolist()], np.bool_)[which]
    filled[voxels[removable]] = False
    return int(np.count_nonzero(removable))


@lru_cache(maxsize=1 << 16)
def _simple(around: int) -> bool:
    """Whether a voxel with these foreground neighbours is simple."""
    background = ~around & _NEAREST_18
    open_faces = [place for place in _FACES if background >> place & 1]
    return (
        around != 0
        and _reached(around & -around, around, 26) == around
        and bool(open_faces)
        and all(_reached(1 << open_faces[0], background, 6) >> place & 1 for place in open_faces)
    )


def _reached(start: int, allowed: int, connectivity: int) -> int:
    """The neighbours that are connected with a first one through allowed ones."""
    reached = front = start
    while front:
        place = front.bit_length() - 1
        fresh = _ADJACENT[connectivity][place] & allowed & ~reached
        reached |= fresh
        front = front & ~(1 << place) | fresh
    return reached
