"""The 95th percentile of the Hausdorff distance (Metrics Reloaded, Nature Methods 2024)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.shapes.surface import Spacing
from minivess.records.evaluation.counted.counts import Distance
from minivess.records.evaluation.evaluation import Conventions


def count(pair: CasePair, conventions: Conventions) -> Distance:
    """The `hd95` of a case; the conventions have no influence."""
    return Distance(value=_hd95(pair))


@implements("REQ-024")
def hd95(prediction: NDArray[Any], reference: NDArray[Any], spacing: Spacing) -> float | None:
    """The larger of the two directed 95th percentiles of border distances, in the unit of the spacing.

    Convention: 0 when both masks are empty; None, which means undefined, when one is.

    Args:
        prediction: binary mask (z, y, x) or (y, x).
        reference: binary mask of the same shape.
        spacing: voxel size in the order of the axes, in any unit.

    Raises:
        InputError: the masks do not fit together, are not binary, or the spacing is not positive.
    """
    return _hd95(CasePair.of(prediction, reference, spacing))


def _hd95(pair: CasePair) -> float | None:
    if not all(pair.filled):
        return None if any(pair.filled) else 0.0
    return float(max(np.percentile(distances, 95) for distances in pair.surface_distances))
