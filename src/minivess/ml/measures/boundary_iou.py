"""Intersection over union of the borders of two masks (Cheng et al., Boundary IoU, CVPR 2021), one voxel wide."""

from __future__ import annotations

import numpy as np

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.counted.counts import BoundaryCounts
from minivess.records.evaluation.evaluation import Conventions


@implements("REQ-375")
def count(pair: CasePair, conventions: Conventions) -> BoundaryCounts:
    """The counts of `boundary_iou` in a case; the conventions have no influence."""
    predicted, true = pair.borders
    return BoundaryCounts(
        both=int(np.count_nonzero(predicted & true)),
        predicted=int(np.count_nonzero(predicted)),
        reference=int(np.count_nonzero(true)),
    )
