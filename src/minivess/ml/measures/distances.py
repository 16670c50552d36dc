"""Distances between the borders of two masks beside their 95th percentile (Metrics Reloaded, Nature Methods 2024)."""

from __future__ import annotations

import numpy as np

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.counted.counts import SurfaceDistances
from minivess.records.evaluation.evaluation import Conventions


@implements("REQ-375")
def count(pair: CasePair, conventions: Conventions) -> SurfaceDistances:
    """The largest distance (`hd`), the mean over both borders (`assd`), and the mean of the two directed means (`masd`).

    In the unit of the spacing; 0 when both masks are empty, None when one is. The conventions have no influence.
    """
    if not all(pair.filled):
        value = None if any(pair.filled) else 0.0
        return SurfaceDistances(hd=value, assd=value, masd=value)
    there, back = pair.surface_distances
    return SurfaceDistances(
        hd=float(max(there.max(), back.max())),
        assd=float((there.sum() + back.sum()) / (there.size + back.size)),
        masd=float((np.mean(there) + np.mean(back)) / 2),
    )
