"""Distances between the surfaces of two masks, from which the measures of surfaces are computed.

Definitions follow Metrics Reloaded (Maier-Hein, Reinke et al., Nature Methods 2024) and Nikolov et al. (JMIR 2021). A
border voxel is a foreground voxel with background among its six face neighbours (its four edge neighbours in a plane);
beyond the edge of the volume or plane is background. Distances run between the centres of border voxels, in the unit of the
spacing.

Speed: the two masks mostly share their border, and a shared border voxel is at distance 0. So only the border voxels
that do not coincide are looked up, in a k-d tree of the other border; when nearly everything differs in a small box,
an exact Euclidean distance transform of the box is cheaper and gives the same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask, crop_pair
from minivess.records.evaluation.tolerance import reach_of

Spacing = tuple[float, ...]
"""Voxel size of a volume (z, y, x) or of a plane (y, x), in any unit: that of the distances."""
Distances = NDArray[np.float64]

_DENSE = 4
"""A distance transform is used when more than one voxel in this many is a border voxel to look up."""


def border(mask: Mask) -> Mask:
    """The border voxels of a mask (z, y, x) or (y, x): the mask without its erosion by the cross of face neighbours."""
    eroded: Mask = ndimage.binary_erosion(
        mask, structure=ndimage.generate_binary_structure(mask.ndim, 1), border_value=0
    )
    return mask & ~eroded


def surface_distances(prediction: Mask, reference: Mask, spacing: Spacing) -> tuple[Distances, Distances]:
    """Distances from each border voxel to the other mask's border.

    Args:
        prediction: non-empty binary mask (z, y, x) or (y, x).
        reference: non-empty binary mask of the same shape.
        spacing: voxel size in the order of the axes, in any unit.

    Returns:
        Distances of the prediction's border voxels to the reference's border, and the other way round, in the unit of the
        spacing.
    """
    predicted, true = crop_pair(prediction, reference)
    return border_distances(border(predicted), border(true), spacing)


def border_distances(predicted: Mask, true: Mask, spacing: Spacing) -> tuple[Distances, Distances]:
    """The same of two borders, each with a voxel."""
    return _directed(predicted, true, spacing), _directed(true, predicted, spacing)


@implements("REQ-315")
def _directed(origin: Mask, target: Mask, spacing: Spacing) -> Distances:
    apart = origin & ~target
    distances = np.zeros(np.count_nonzero(origin), dtype=np.float64)
    lookups = np.count_nonzero(apart)
    if lookups == 0:
        return distances
    differs = apart[origin]
    if lookups * _DENSE > origin.size:
        transform = ndimage.distance_transform_edt(~target, sampling=spacing)
        distances[differs] = transform[apart]
    else:
        step, places, wanted = np.asarray(spacing, dtype=np.float64), np.argwhere(target), np.argwhere(apart)
        nearest = cKDTree(places * step, balanced_tree=False, compact_nodes=False).query(wanted * step)[1]
        apart_by = (
            wanted - places[nearest]
        ) * step  # of whole steps: products of large places differ by their rounding
        distances[differs] = np.sqrt(np.square(apart_by).sum(axis=1))
    return distances


@implements("REQ-315")
def count_within(distances: Distances, tolerance: float) -> int:
    """How many distances are within a tolerance of their unit; one that differs from it by its rounding alone is."""
    return int(np.count_nonzero(distances <= reach_of(tolerance)))
