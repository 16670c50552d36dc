"""Agreement of surfaces: normalised surface distance and the 95th percentile of the Hausdorff distance.

Definitions follow Metrics Reloaded (Maier-Hein, Reinke et al., Nature Methods 2024) and Nikolov et al. (JMIR 2021). A
border voxel is a foreground voxel with background among its six face neighbours; beyond the volume's edge is
background. Distances run between the centres of border voxels, in micrometres.

Speed: the two masks mostly share their border, and a shared border voxel is at distance 0. So only the border voxels
that do not coincide are looked up, in a k-d tree of the other border; when nearly everything differs in a small box,
an exact Euclidean distance transform of the box is cheaper and gives the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask, crop_pair, mask_pair

Spacing = tuple[float, float, float]
Distances = NDArray[np.float64]

_FACES = ndimage.generate_binary_structure(3, 1)
_DENSE = 4
"""A distance transform is used when more than one voxel in this many is a border voxel to look up."""


def border(mask: Mask) -> Mask:
    """The border voxels of a mask (z, y, x): the mask without its erosion by the six-neighbour cross."""
    eroded: Mask = ndimage.binary_erosion(mask, structure=_FACES, border_value=0)
    return mask & ~eroded


def surface_distances(prediction: Mask, reference: Mask, spacing_um: Spacing) -> tuple[Distances, Distances]:
    """Distances from each border voxel to the other mask's border.

    Args:
        prediction: non-empty binary mask (z, y, x).
        reference: non-empty binary mask (z, y, x).
        spacing_um: voxel size (z, y, x) in micrometres.

    Returns:
        Distances in micrometres of the prediction's border voxels to the reference's border, and the other way round.
    """
    predicted, true = crop_pair(prediction, reference)
    predicted_border, true_border = border(predicted), border(true)
    return (
        _directed(predicted_border, true_border, spacing_um),
        _directed(true_border, predicted_border, spacing_um),
    )


@implements("REQ-024")
def nsd(prediction: NDArray[Any], reference: NDArray[Any], spacing_um: Spacing, tolerance_um: float) -> float:
    """Normalised surface distance: the share of both borders that lies within a tolerance of the other, in 0..1.

    Convention: 1 when both masks are empty, 0 when one is. Border voxels count equally (no surface elements).

    Args:
        prediction: binary mask (z, y, x).
        reference: binary mask (z, y, x).
        spacing_um: voxel size (z, y, x) in micrometres.
        tolerance_um: distance in micrometres up to which borders agree.

    Raises:
        InputError: the masks do not fit together, are not binary, or spacing or tolerance is not positive.
    """
    return surface_measures(prediction, reference, spacing_um, tolerance_um)[0]


@implements("REQ-024")
def hd95_um(prediction: NDArray[Any], reference: NDArray[Any], spacing_um: Spacing) -> float | None:
    """The larger of the two directed 95th percentiles of border distances, in micrometres.

    Convention: 0 when both masks are empty; None, which means undefined, when one is.

    Args:
        prediction: binary mask (z, y, x).
        reference: binary mask (z, y, x).
        spacing_um: voxel size (z, y, x) in micrometres.

    Raises:
        InputError: the masks do not fit together, are not binary, or the spacing is not positive.
    """
    return surface_measures(prediction, reference, spacing_um, tolerance_um=1.0)[1]


def surface_measures(
    prediction: NDArray[Any], reference: NDArray[Any], spacing_um: Spacing, tolerance_um: float
) -> tuple[float, float | None]:
    """`nsd` and `hd95_um` from distances that are computed once.

    Raises:
        InputError: the masks do not fit together, are not binary, or spacing or tolerance is not positive.
    """
    predicted, true = mask_pair(prediction, reference)
    if len(spacing_um) != 3 or not all(np.isfinite(step) and step > 0 for step in spacing_um):
        raise InputError(f"spacing {spacing_um} is not three positive numbers", hint="give (z, y, x) in micrometres")
    if not (np.isfinite(tolerance_um) and tolerance_um > 0):
        raise InputError(f"a surface tolerance of {tolerance_um} µm is not positive")
    filled = (bool(predicted.any()), bool(true.any()))
    if not any(filled):
        return 1.0, 0.0
    if not all(filled):
        return 0.0, None
    to_true, to_predicted = surface_distances(predicted, true, spacing_um)
    within = np.count_nonzero(to_true <= tolerance_um) + np.count_nonzero(to_predicted <= tolerance_um)
    return (
        within / (to_true.size + to_predicted.size),
        float(max(np.percentile(to_true, 95), np.percentile(to_predicted, 95))),
    )


def _directed(origin: Mask, target: Mask, spacing_um: Spacing) -> Distances:
    apart = origin & ~target
    distances = np.zeros(np.count_nonzero(origin), dtype=np.float64)
    lookups = np.count_nonzero(apart)
    if lookups == 0:
        return distances
    differs = apart[origin]
    if lookups * _DENSE > origin.size:
        transform = ndimage.distance_transform_edt(~target, sampling=spacing_um)
        distances[differs] = transform[apart]
    else:
        step = np.asarray(spacing_um, dtype=np.float64)
        tree = cKDTree(np.argwhere(target) * step, balanced_tree=False, compact_nodes=False)
        distances[differs] = tree.query(np.argwhere(apart) * step)[0]
    return distances
