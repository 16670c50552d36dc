"""Components of a mask from its runs: rows of neighbouring voxels along the last axis.

A mask of thin structures has few runs, and joining those that touch takes a fraction of the time and memory of labelling each
voxel. A mask that is like noise has many: then the voxels are labelled.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.ml.measures.shapes.thinning import components

_VOXELS_A_RUN = 64
"""Runs are joined where the mask has at least so many voxels, inside and outside, for each of them."""
_AT_A_TIME = 1 << 18
"""Voxels whose runs are found at a time."""
_PARTS = 16
_NEXT = {2: ((0, 1),), 3: ((0, 1), (1, -1), (1, 0), (1, 1))}
"""The half of the neighbouring rows that comes after a row, by the number of axes: steps along the axes before the last."""


class Components(NamedTuple):
    """How many components a mask has, and the voxels of the largest; 26-connected, or 8-connected in a plane."""

    number: int
    largest: int


def components_of(mask: NDArray[np.bool_]) -> Components:
    """Of a mask (z, y, x) or (y, x)."""
    width = (
        mask.shape[-1] + 2
    )  # an empty voxel before and after each row, so that no run touches one of another row by its ends
    runs = _runs(mask.reshape(-1, mask.shape[-1]), width, most=mask.size // _VOXELS_A_RUN)
    if runs is None:
        return _labelled(mask)
    starts, stops = runs
    return Components(0, 0) if len(starts) == 0 else _joined(starts, stops, width, mask.shape)


def _runs(rows: NDArray[np.bool_], width: int, *, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Where runs begin and end, as if rows had a width; None: there are more than so many. Some rows are looked at at a time."""
    starts, stops = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    step, found = max(1, _AT_A_TIME // width), 0
    for first in range(0, len(rows), step):
        part = rows[first : first + step]
        padded = np.zeros((len(part), width), np.int8)
        padded[:, 1:-1] = part
        edges = np.diff(padded.reshape(-1))
        starts.append(np.flatnonzero(edges == 1) + first * width)
        stops.append(np.flatnonzero(edges == -1) + first * width)
        found += len(starts[-1])
        if found > most:
            return None
    return np.concatenate(starts), np.concatenate(stops)


def _joined(starts: NDArray[np.intp], stops: NDArray[np.intp], width: int, shape: tuple[int, ...]) -> Components:
    """Join the runs that touch: those of neighbouring rows whose ends overlap, or meet at a corner."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    lines = shape[-2]
    line = starts // width % lines
    pairs: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for plane, step in _NEXT[len(shape)]:
        shift = (plane * lines + step) * width
        first = np.searchsorted(stops, starts + shift, side="left")
        last = np.searchsorted(starts, stops + shift, side="right")
        many = np.where((line + step >= 0) & (line + step < lines), np.maximum(last - first, 0), 0)
        run = np.repeat(np.arange(len(starts)), many)
        pairs.append((run, first[run] + np.arange(len(run)) - np.repeat(np.cumsum(many) - many, many)))
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    touching = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(starts), len(starts)))
    count, of_run = connected_components(touching, directed=False)
    sizes = np.zeros(count, np.int64)
    np.add.at(sizes, of_run, stops - starts)
    return Components(int(count), int(sizes.max()))


def _labelled(mask: NDArray[np.bool_]) -> Components:
    """By labelling each voxel; labels are counted in parts, because counting copies them as wider integers."""
    labels, count = components(mask)
    sizes = np.zeros(count + 1, np.int64)
    for part in np.array_split(labels, min(_PARTS, len(labels))):
        sizes += np.bincount(part.ravel(), minlength=count + 1)
    return Components(count, int(sizes[1:].max()))
