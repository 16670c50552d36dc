"""Skeletons of masks by the rules that the conventions name, and what is measured along them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.shapes.thinning import components, thin
from minivess.records.evaluation.evaluation import SKELETON, SKELETON_BEFORE

METHODS = {2: "zhang", 3: "lee"}
"""The thinning of scikit-image, by the number of axes."""
_ENDS = 2
"""A voxel of a line has at most so many steps."""


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

    The voxels of the skeleton are joined by steps to their neighbours (26, in a plane 8). A diagonal step is left out where the
    skeleton has a voxel between its ends, in the same cube of voxels, so that a corner does not count twice. The length is that
    of all steps. A voxel with more than two steps is a junction. A branch is a part of the skeleton that is connected without
    junctions; a component that is all junctions is one branch. The radius at a voxel is the distance to the centre of the nearest
    background voxel; beyond the edge of the field is background.

    Args:
        mask: binary.
        lines: its skeleton, on the same grid.
        spacing: voxel size in the order of the axes. Length and radius are in its unit.
    """
    if not lines.any():
        return Network(0, 0.0, None)
    ends, length = _steps(lines, spacing)
    return Network(_branches(ends, int(np.count_nonzero(lines))), length, _radius(mask, lines, spacing))


def _steps(lines: Mask, spacing: tuple[float, ...]) -> tuple[NDArray[np.intp], float]:
    """The steps between neighbouring voxels as pairs of numbers of voxels (2, n), and their length together."""
    padded = np.pad(lines, 1)
    places = np.argwhere(padded)
    numbers = np.zeros(padded.shape, np.intp)
    numbers[padded] = np.arange(len(places))
    ends, total = [np.zeros((2, 0), np.intp)], 0.0
    for step in _half_of_neighbours(lines.ndim):
        joined = _at(padded, places + step)
        for part in product(*({0, one} for one in step)):
            if any(part) and part != step:
                joined &= ~_at(padded, places + part)
        found = places[joined]
        ends.append(np.stack([numbers[tuple(found.T)], numbers[tuple((found + step).T)]]))
        total += float(np.linalg.norm(np.multiply(step, spacing))) * len(found)
    return np.concatenate(ends, axis=1), total


def _branches(ends: NDArray[np.intp], voxels: int) -> int:
    """The number of branches of a skeleton of so many voxels, from its steps."""
    free = np.bincount(ends.ravel(), minlength=voxels) <= _ENDS
    parts = _parts(ends[:, free[ends].all(axis=0)], voxels)
    bodies = _parts(ends, voxels)
    branches = np.unique(parts[free]).size
    return branches + np.setdiff1d(bodies, bodies[free]).size


def _parts(ends: NDArray[np.intp], voxels: int) -> NDArray[np.int32]:
    """The number of the connected part of each voxel."""
    graph = coo_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(voxels, voxels))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


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
