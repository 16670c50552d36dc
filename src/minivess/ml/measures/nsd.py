"""Normalised surface distance (Nikolov et al., JMIR 2021; Metrics Reloaded, Nature Methods 2024)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.shapes.surface import Spacing, count_within
from minivess.records.evaluation.counted.counts import SurfaceCounts
from minivess.records.evaluation.evaluation import Conventions


@implements("REQ-324")
def count(pair: CasePair, conventions: Conventions) -> SurfaceCounts:
    """The counts of `nsd` in a case at the tolerance of the conventions."""
    return _counted(pair, conventions.within.value)


@implements("REQ-024")
def nsd(prediction: NDArray[Any], reference: NDArray[Any], spacing: Spacing, tolerance: float) -> float:
    """Normalised surface distance: the share of both borders that lies within a tolerance of the other, in 0..1.

    Convention: 1 when both masks are empty, 0 when one is. Border voxels count equally (no surface elements).

    Args:
        prediction: binary mask (z, y, x) or (y, x).
        reference: binary mask of the same shape.
        spacing: voxel size in the order of the axes, in any unit.
        tolerance: distance up to which borders agree, in the unit of the spacing.

    Raises:
        InputError: the masks do not fit together, are not binary, or spacing or tolerance is not positive.
    """
    return _counted(CasePair.of(prediction, reference, spacing), tolerance).measure


def _counted(pair: CasePair, tolerance: float) -> SurfaceCounts:
    if not (np.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"a surface tolerance of {tolerance} is not positive")
    if not all(pair.filled):
        predicted, reference = (int(np.count_nonzero(border)) for border in pair.borders)
        return SurfaceCounts(predicted_within=0, predicted=predicted, reference_within=0, reference=reference)
    to_reference, to_prediction = pair.surface_distances
    return SurfaceCounts(
        predicted_within=count_within(to_reference, tolerance),
        predicted=to_reference.size,
        reference_within=count_within(to_prediction, tolerance),
        reference=to_prediction.size,
    )
