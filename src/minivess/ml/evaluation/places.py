"""Where the errors of a case are, counted in its two masks: by radius, depth, component and near the border.

The radius of the reference at a voxel of its skeleton is the distance to the centre of the nearest background voxel of the
volume; each voxel of the reference has the radius of the nearest voxel of the skeleton. Distances are looked up in k-d trees
(Bentley, CACM 18, 1975) of the skeleton and of the background voxels that touch the reference, so memory and time grow with the
masks and not with the volume. Where much of a small volume is reference, a distance transform of the volume is faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.mask_pairs import Mask
from minivess.records.evaluation.counted.places import (
    BORDER,
    INTERIOR,
    RADII,
    TENTHS,
    ErrorsByPlace,
    FalsePlaces,
    MissedPlaces,
    Place,
)
from minivess.records.evaluation.evaluation import Conventions

Counts = NDArray[np.int64]
_DECADES = 10 ** np.arange(19, dtype=np.int64)
_AT_ONCE = 1 << 18
"""Voxels that are looked up at once."""
_DENSE, _LARGEST = 5, 1 << 25
"""A distance transform is used when more than one voxel in so many is to be looked up, in a volume of at most so many voxels: it
takes 12 bytes a voxel."""


@implements("REQ-417")
def count_places(pair: CasePair, conventions: Conventions, near: Mask) -> ErrorsByPlace:
    """Count the missed and the false voxels of a case by place.

    Args:
        pair: prediction and reference with the voxel size, which is the unit of the radius.
        conventions: name the rule of the skeleton.
        near: the border band of the reference.

    Raises:
        UsageError: there is no such rule.
    """
    predicted, true = pair.prediction, pair.reference
    missed, false = true & ~predicted, predicted & ~true
    sizes, pieces = _by_component(true, missed)
    false_sizes, false_pieces = _by_component(predicted, false)
    return ErrorsByPlace(
        missed=MissedPlaces(
            radius=_by_radius(pair, conventions, missed),
            depth=_by_depth(true, missed),
            size=sizes,
            components=pieces,
            border=_by_border(true, missed, near),
        ),
        false=FalsePlaces(
            depth=_by_depth(predicted, false),
            size=false_sizes,
            components=false_pieces,
            border=_by_border(predicted, false, near),
        ),
    )


def _places(whole: NDArray[Any], wrong: NDArray[Any]) -> tuple[Place, ...]:
    """The bins that have anything."""
    pairs = zip(whole.tolist(), wrong.tolist(), strict=True)
    return tuple(Place(number, int(one), int(other)) for number, (one, other) in enumerate(pairs) if one)


def _by_border(mask: Mask, wrong: Mask, near: Mask) -> tuple[Place, ...]:
    inside = [np.count_nonzero(mask & near), np.count_nonzero(wrong & near)]
    outside = [np.count_nonzero(mask) - inside[0], np.count_nonzero(wrong) - inside[1]]
    rows = sorted(((BORDER, inside), (INTERIOR, outside)))
    return tuple(Place(number, int(whole), int(part)) for number, (whole, part) in rows if whole)


def _by_depth(mask: Mask, wrong: Mask) -> tuple[Place, ...]:
    """By tenths of the first axis of a volume; none for a plane."""
    if mask.ndim < 3:
        return ()
    slices = mask.shape[0]
    tenth = np.arange(slices) * TENTHS // slices
    whole, part = (np.count_nonzero(one, axis=(1, 2)) for one in (mask, wrong))
    return _places(*(np.bincount(tenth, weights=one, minlength=TENTHS).astype(np.int64) for one in (whole, part)))


def _by_component(mask: Mask, wrong: Mask) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Voxels by the size of their component, and components by their size."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim, np.bool_))
    sizes: Counts = np.bincount(labels[mask], minlength=count + 1)[1:]
    errors: Counts = np.bincount(labels[wrong], minlength=count + 1)[1:]
    decade = np.searchsorted(_DECADES, sizes, side="right") - 1
    bins = int(decade.max(initial=-1)) + 1
    voxels, parts, pieces, lost = (np.zeros(bins, np.int64) for _ in range(4))
    np.add.at(voxels, decade, sizes)
    np.add.at(parts, decade, errors)
    np.add.at(pieces, decade, 1)
    np.add.at(lost, decade, (errors == sizes).astype(np.int64))
    return _places(voxels, parts), _places(pieces, lost)


def _by_radius(pair: CasePair, conventions: Conventions, missed: Mask) -> tuple[Place, ...]:
    true = pair.reference
    if not true.any():
        return ()
    step = np.asarray(pair.spacing, np.float64)
    line = pair.skeleton_of_reference(conventions.skeleton)
    radii = np.searchsorted(np.asarray(RADII), _radii(true, np.argwhere(line) * step, step), side="right") - 1
    bins: Counts = radii[_nearest(true, line, step)]
    wrong = bins[missed[true]]
    return _places(np.bincount(bins, minlength=len(RADII)), np.bincount(wrong, minlength=len(RADII)))


def _nearest(mask: Mask, line: Mask, step: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number of the nearest voxel of a line for each voxel of a mask, both in the order of the grid; of several, any."""
    count = int(np.count_nonzero(mask))
    if count * _DENSE > mask.size and mask.size <= _LARGEST:
        from scipy import ndimage

        places = ndimage.distance_transform_edt(~line, sampling=step, return_distances=False, return_indices=True)
        numbers = np.zeros(mask.shape, np.intp)
        numbers[line] = np.arange(np.count_nonzero(line))
        found: NDArray[np.intp] = numbers[tuple(axis[mask] for axis in places)]
        return found
    from scipy.spatial import cKDTree

    tree = cKDTree(np.argwhere(line) * step, balanced_tree=False, compact_nodes=False)
    voxels, found = np.argwhere(mask), np.empty(count, np.intp)
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found[part] = tree.query(voxels[part] * step)[1]
    return found


def _radii(true: Mask, line: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of each voxel of the skeleton to the nearest background voxel; where there is none, to the outside."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    shift = 0.0
    if true.all():
        true, shift = np.pad(true, 1), 1.0
    outside = ndimage.binary_dilation(true) & ~true
    tree = cKDTree(np.argwhere(outside) * step, balanced_tree=False, compact_nodes=False)
    found: NDArray[np.float64] = tree.query(line + shift * step)[0]
    return found
