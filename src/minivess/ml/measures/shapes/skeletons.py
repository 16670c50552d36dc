"""Skeletons of masks by the rules that the conventions name, and what is measured along them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.shapes.thinning import components, thin
from minivess.records.evaluation.evaluation import SKELETON, SKELETON_BEFORE

METHODS = {2: "zhang", 3: "lee"}
"""The thinning of scikit-image, by the number of axes."""
_ENDS = 2
"""A voxel of a line has at most so many neighbours."""


@implements("REQ-237")
def skeleton(mask: Mask) -> Mask:
    """The skeleton of a binary mask (z, y, x) or of a plane (y, x), one voxel wide, with a part in every component.

    It is the thinning of the reference implementation of clDice, from scikit-image: in a volume Lee's (Lee, Kashyap & Chu,
    CVGIP 56, 1994), in a plane Zhang's (Zhang & Suen, CACM 27, 1984). Lee's can remove a component of even width wholly,
    because scikit-image also deletes the last voxel that is left. The skeleton of a removed component is `thinning.thin`
    instead. So the skeleton has a voxel in each 26-connected component (8-connected in a plane), each of its voxels is in
    the mask, and it is empty only if the mask is.
    """
    thinned: Mask = skeletonize(mask, method=METHODS[mask.ndim]).astype(np.bool_)
    labels, count = components(mask)
    missing = np.ones(count + 1, np.bool_)
    missing[labels[thinned]] = missing[0] = False
    if not missing.any():
        return thinned
    removed = missing[labels]
    solid = removed if mask.ndim == 3 else removed[np.newaxis]
    return thinned | thin(solid).reshape(mask.shape)


def skeleton_before(mask: Mask) -> Mask:
    """The thinning alone; a mask that it removes wholly is its own skeleton. The rule of plans of before."""
    thinned: Mask = skeletonize(mask, method=METHODS[mask.ndim]).astype(np.bool_)
    return thinned if thinned.any() else mask


RULES: Mapping[str, Callable[[Mask], Mask]] = {SKELETON: skeleton, SKELETON_BEFORE: skeleton_before}
"""The rules of the skeleton, by the words of the conventions."""


class Network(NamedTuple):
    """What is measured along the skeleton of one mask."""

    branches: int
    length: float
    radius: float | None
    """The mean over the skeleton; None without a voxel."""


@implements("REQ-378")
def network(mask: Mask, lines: Mask, spacing: tuple[float, ...]) -> Network:
    """Branches, length and mean radius of a mask (z, y, x) or (y, x), by its skeleton.

    A voxel of the skeleton with more than two neighbours (26, in a plane 8) is a junction. A branch is a connected part of
    the skeleton without its junctions; a component that is all junctions is one branch. The length is that of the steps
    between neighbouring voxels. A diagonal step is left out where the skeleton also has a way round it by shorter steps of
    the same cube of voxels, so that a corner does not count twice. The radius at a voxel is the distance to the centre of the
    nearest background voxel; beyond the edge of the field is background.

    Args:
        mask: binary.
        lines: its skeleton, on the same grid.
        spacing: voxel size in the order of the axes. Length and radius are in its unit.
    """
    if not lines.any():
        return Network(0, 0.0, None)
    return Network(_branches(lines), _length(lines, spacing), _radius(mask, lines, spacing))


def _branches(lines: Mask) -> int:
    everywhere = np.ones((3,) * lines.ndim, np.uint8)
    neighbours = ndimage.convolve(lines.astype(np.uint8), everywhere, mode="constant") - lines
    labels, count = components(lines)
    free, branches = components(lines & (neighbours <= _ENDS))
    with_branch = np.unique(labels[free > 0]).size
    return branches + count - with_branch


def _length(lines: Mask, spacing: tuple[float, ...]) -> float:
    padded = np.pad(lines, 1)
    places = np.argwhere(padded)
    total = 0.0
    for step in _half_of_neighbours(lines.ndim):
        between = [part for part in product(*({0, one} for one in step)) if any(part) and part != step]
        joined = _at(padded, places + step)
        for part in between:
            joined &= ~_at(padded, places + part)
        size = float(np.linalg.norm(np.multiply(step, spacing)))
        total += size * int(np.count_nonzero(joined))
    return total


def _half_of_neighbours(axes: int) -> list[tuple[int, ...]]:
    """One of each two opposite steps to a neighbour."""
    return [step for step in product((-1, 0, 1), repeat=axes) if step > (0,) * axes]


def _at(mask: Mask, places: NDArray[np.intp]) -> Mask:
    found: Mask = mask[tuple(places.T)]
    return found


def _radius(mask: Mask, lines: Mask, spacing: tuple[float, ...]) -> float:
    padded = np.pad(mask, 1)
    around = ndimage.binary_dilation(padded, structure=ndimage.generate_binary_structure(mask.ndim, 1)) & ~padded
    step = np.asarray(spacing, dtype=np.float64)
    tree = cKDTree(np.argwhere(around) * step, balanced_tree=False, compact_nodes=False)
    distances = tree.query((np.argwhere(lines) + 1) * step)[0]
    return float(np.mean(distances))
